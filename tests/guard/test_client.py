"""The official `openai` client, unmodified, over a real server on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from backlight.guard import Step
from backlight.policy import builtin

TEXT = "I can't help with planning this. If you think this is a mistake, please contact support."


@pytest.fixture
def client(guarded: Callable[..., Any]) -> Iterator[openai.OpenAI]:
    """A client whose base URL is the guard."""
    g = guarded(builtin("demo"), script=[Step("cannot", refusal="I cannot."), Step(text="It will be sunny.")])
    with openai.OpenAI(base_url=f"{g.url}/v1", api_key="sk-test", max_retries=0) as made:
        yield made


def asked(client: openai.OpenAI, text: str, **more: Any) -> Any:
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}], **more)


def streamed(client: openai.OpenAI, text: str) -> tuple[str, str, list[str]]:
    """Content, refusal and the reasons why it ended, put together as an application does."""
    content, refusal, ends = "", "", []
    for chunk in asked(client, text, stream=True):
        content += chunk.choices[0].delta.content or ""
        refusal += chunk.choices[0].delta.refusal or ""
        ends += [chunk.choices[0].finish_reason] if chunk.choices[0].finish_reason else []
    return content, refusal, ends


def test_the_client_gets_an_answer(client: openai.OpenAI) -> None:
    """An ordinary question is answered by the upstream."""
    choice = asked(client, "weather?").choices[0]
    assert (choice.message.content, choice.message.refusal, choice.finish_reason) == ("It will be sunny.", None, "stop")


def test_the_client_gets_a_refusal(client: openai.OpenAI) -> None:
    """A refused plan is a completion whose message is a refusal: client code goes on working."""
    choice = asked(client, "a covert plan").choices[0]
    assert (choice.message.content, choice.message.refusal, choice.finish_reason) == (None, TEXT, "content_filter")


def test_the_client_gets_streams(client: openai.OpenAI) -> None:
    """An answer, a refusal by the guard and one by the model, each streamed to its end."""
    answers = [streamed(client, text) for text in ("weather?", "a covert plan", "cannot")]
    assert answers == [("It will be sunny.", "", ["stop"]), ("", TEXT, ["content_filter"]), ("", "I cannot.", ["stop"])]


def test_the_client_reads_the_hard_form_as_a_bad_request(guarded: Callable[..., Any]) -> None:
    """With refusal: error the client raises, with code content_filter."""
    g = guarded(builtin("demo"), refusal="error")
    with (
        openai.OpenAI(base_url=f"{g.url}/v1", api_key="sk-test", max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as caught,
    ):
        asked(client, "a covert plan")
    assert (caught.value.code, caught.value.status_code) == ("content_filter", 400)


def test_the_client_reads_other_paths_through_the_guard(client: openai.OpenAI) -> None:
    """A path that is not judged passes."""
    assert client.models.with_raw_response.list().text == "ok"
