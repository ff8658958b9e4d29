"""Seven questions, one at a time or on one page, and the plan they lead to. Open to everybody."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import NotFound
from bitgoeul.web.facade import no_store, render_text

from .. import queries
from ..errors import BadAnswer
from ..planning import plan
from ..questions import BY_CODE, QUESTIONS, check_answer, check_answers
from ..session import answers_in, forget, keep


@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """Go to the first question that is not answered; to the plan when all are."""
    answers = answers_in(request)
    for number, question in enumerate(QUESTIONS, 1):
        if question.code not in answers:
            return redirect("programmes:question", number=number)
    return redirect("programmes:plan")


@require_http_methods(["GET", "POST"])
def question(request: HttpRequest, number: int) -> HttpResponse:
    """One question; its answer leads to the next."""
    if not 1 <= number <= len(QUESTIONS):
        raise NotFound()
    asked = QUESTIONS[number - 1]
    error = ""
    if request.method == "POST":
        try:
            keep(request, {asked.code: check_answer(asked.code, request.POST.get("answer", ""))})
        except BadAnswer:
            error = "choose"
        else:
            if number == len(QUESTIONS):
                return redirect("programmes:plan")
            return redirect("programmes:question", number=number + 1)
    answers = answers_in(request)
    steps = [
        {"number": n, "title": q.text, "done": q.code in answers and n != number, "active": n == number}
        for n, q in enumerate(QUESTIONS, 1)
    ]
    context = {
        "question": asked,
        "number": number,
        "total": len(QUESTIONS),
        "previous": number - 1,
        "steps": steps,
        "answer": str(answers.get(asked.code, "")),
        "error": error,
    }
    return no_store(render(request, "programmes/question.html", context, status=400 if error else 200))


@require_http_methods(["GET", "POST"])
def all_questions(request: HttpRequest) -> HttpResponse:
    """The seven questions on one page."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        given = {}
        for code in BY_CODE:
            try:
                given[code] = check_answer(code, request.POST.get(code, ""))
            except BadAnswer as refusal:
                errors[code] = render_text(refusal.text)
        keep(request, given)
        if not errors:
            return redirect("programmes:plan")
    answers = answers_in(request)
    rows = [(one, str(answers.get(one.code, "")), errors.get(one.code, "")) for one in QUESTIONS]
    status = 400 if errors else 200
    return no_store(render(request, "programmes/questions.html", {"rows": rows, "errors": errors}, status=status))


@require_POST
def again(request: HttpRequest) -> HttpResponse:
    """Forget the answers and begin with the first question."""
    forget(request)
    return redirect("programmes:question", number=1)


@require_GET
def show_plan(request: HttpRequest) -> HttpResponse:
    """The dated plan for the kept answers, or for answers in the address (so that a plan can be sent on)."""
    given = {code: value for code, value in request.GET.items() if code in BY_CODE}
    answers = {**answers_in(request), **check_answers(given)}
    moment = now()
    made = plan(answers, queries.open_calls(moment), moment)
    lacks = [(lack, _address(lack.link)) for lack in made.missing]
    answered = [
        (one, option, number)
        for number, one in enumerate(QUESTIONS, 1)
        if one.code in answers and (option := one.option(answers[one.code]))
    ]
    context = {"plan": made, "lacks": lacks, "answered": answered, "answers": answers}
    return no_store(render(request, "programmes/plan.html", context))


LINKS = {
    "start": "programmes:start",
    "calls": "programmes:calls",
    "organisation": "accounts:organisation_new",
}


def _address(link: str | None) -> str:
    try:
        return reverse(LINKS[link]) if link in LINKS else ""
    except NoReverseMatch:
        return ""
