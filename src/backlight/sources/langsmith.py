"""LangSmith runs: what the runs API, the SDK and the bulk export give, one run a record or a page of them.

A run is `{"id": .., "run_type": "llm", "start_time": .., "inputs": {..}, "outputs": {..}, "extra": {"metadata": {..}},
"session_id": <the project>}`; pages hold runs in `runs`, `items` or `data`, a tree holds them in `child_runs`. In Parquet
inputs, outputs and extra may be JSON in strings. Runs of a model (`llm`) are exchanges. Chains, tools, retrievers,
embeddings, prompts and parsers are the steps around them, whose texts stand in the model's runs again: they give no row.

`session_id` of a run is its project; the chat is `session_id`, `thread_id` or `conversation_id` in its metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from backlight.errors import RecordError
from backlight.sources._chat import count, ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Exchange, Item
from backlight.sources._json import dict_of, first_of
from backlight.sources._times import time_of
from backlight.sources._traces import Metadata, answer_in, asked, blocked_by, each, loaded, object_of

_Dict = dict[str, Any]
_MODELS = ("llm", "chat", "chat_model")
_STEPS = ("chain", "tool", "retriever", "embedding", "prompt", "parser")
_PAGES = ("runs", "items", "data")
_DEEPEST = 64


@source(
    name="langsmith",
    title="LangSmith runs (API, SDK, bulk export)",
    kind="interactions",
    text=True,
    gives=("end_user", "address", "user_agent", "conversation"),
    containers=("jsonl", "json", "parquet"),
    signature=(
        Rule(("id|run_id", "run_type", "inputs", "start_time", "trace_id|dotted_order|session_id|session_name|extra"), 0.95),
        Rule(("runs[].run_type", "runs[].id|runs[].run_id"), 0.95),
        Rule(("items[].run_type", "items[].id|items[].run_id"), 0.95),
        Rule(("data[].run_type", "data[].id|data[].run_id"), 0.95),
    ),
    rank=10,
    about="user, chat, address and user agent where the application puts them into metadata; only runs of type llm are read, "
    "so an export of root runs alone gives no rows",
)
def langsmith(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One run of a model is one exchange; a page or a tree is many.

    Raises:
        RecordError: it is neither a run nor a page of runs, or a field is of a kind that cannot be read.
    """
    page = next((name for name in _PAGES if isinstance(record.get(name), list)), None)
    if "run_type" in record or page is None:
        yield from _run(record, Metadata(), 0)
    else:
        yield from each(record[page], page, lambda entry: _run(entry, Metadata(), 0))


def _run(run: Any, above: Metadata, depth: int) -> Iterator[Item | Flaw]:
    """The exchange of a run, if it is one of a model, and those of the runs below it."""
    if depth > _DEEPEST:
        raise RecordError(f"runs are nested more than {_DEEPEST} deep", "a page of runs")
    kind = run.get("run_type") if isinstance(run, dict) else None
    if kind not in _MODELS and kind not in _STEPS:
        raise RecordError("no run, or a run of a type that is not known", f"run_type: {', '.join((*_MODELS, *_STEPS))}")
    extra = object_of(run.get("extra"), "extra")
    meta = Metadata(extra.get("metadata"), run.get("metadata"), above=above)
    if kind in _MODELS:
        yield from _exchange(run, extra, meta)
    children = run.get("child_runs")
    if isinstance(children, list):
        yield from each(children, "child_runs", lambda child: _run(child, meta, depth + 1))


def _exchange(run: _Dict, extra: _Dict, meta: Metadata) -> Iterator[Item | Flaw]:
    inputs, outputs = loaded(run.get("inputs")), loaded(run.get("outputs"))
    messages, flaws = asked(inputs)
    answer, wrong = answer_in(outputs)
    usage = dict_of(dict_of(outputs).get("usage_metadata"))
    called = dict_of(extra.get("invocation_params"))
    model = meta.plain("ls_model_name") or first_of(called, "model", "model_name") or _model(inputs) or _model(outputs)
    yield Exchange(
        record_id=ident(first_of(run, "id", "run_id"), "id"),
        time=time_of(run.get("start_time"), "start_time"),
        messages=messages,
        output=answer.text,
        conversation=ident(run.get("thread_id"), "thread_id") or meta.conversation,
        end_user=meta.end_user,
        address=meta.address,
        user_agent=meta.user_agent,
        model=ident(model, "model"),
        outcome=blocked_by(run.get("error")) if answer.outcome == "unknown" else answer.outcome,
        tokens_in=count(first_of(run, "prompt_tokens") or usage.get("input_tokens")),
        tokens_out=count(first_of(run, "completion_tokens") or usage.get("output_tokens")),
        answered=answer.text is not None,
    )
    yield from (*flaws, *wrong)


def _model(body: Any) -> Any:
    model = dict_of(body).get("model")
    return model if isinstance(model, str) else None
