from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.urls import path

from .models import Project


@login_required
def listed(request):
    rows = Project.objects.filter(state="active").select_related("organisation").order_by("-created_at")
    number = int(request.GET.get("page", "1"))
    context = {"count": rows.count(), "rows": rows[(number - 1) * 20 : number * 20]}
    return render(request, "list.html", context)


urlpatterns = [path("list/", listed)]
