"""One exchange as a line of LiteLLM's StandardLoggingPayload: its field names, order and habits."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from backlight.worlds._cast import Account
from backlight.worlds._clock import when
from backlight.worlds._dice import Dice
from backlight.worlds._talk import Exchange

_NULL_METADATA = (
    "user_api_key_alias", "user_api_key_team_id", "user_api_key_org_id", "user_api_key_team_alias",
    "user_api_key_user_email", "spend_logs_metadata",
)  # fmt: skip
_encode = msgspec.json.Encoder().encode


class Conversation:
    """The requests of one conversation: each repeats what was said before, as chat clients do.

    Args:
        account: whose it is.
        system: system prompt, or empty.
        dice: where chance comes from.
    """

    def __init__(self, account: Account, system: str, dice: Dice) -> None:
        self._account, self._dice = account, dice
        self._messages: list[dict[str, str]] = [{"role": "system", "content": system}] if system else []
        self._trace = f"{dice.hex(8)}-{dice.hex(4)}-4{dice.hex(3)}-a{dice.hex(3)}-{dice.hex(12)}"
        self._model = dice.weighted(account.models, (0.8, 0.2))
        self._agent = dice.weighted(account.agents, (0.75, 0.25)[: len(account.agents)])

    def line(self, exchange: Exchange, moment: float, address: str) -> bytes:
        """One JSON line, its line end included; the exchange becomes part of the history."""
        self._messages.append({"role": "user", "content": exchange.prompt})
        record = self._record(exchange, moment, address)
        encoded = _encode(record)
        self._messages.append({"role": "assistant", "content": exchange.answer})
        return encoded + b"\n"

    def _record(self, exchange: Exchange, moment: float, address: str) -> dict[str, object]:
        dice, account = self._dice, self._account
        number = f"chatcmpl-{dice.hex(8)}-{dice.hex(4)}-4{dice.hex(3)}-b{dice.hex(3)}-{dice.hex(12)}"
        message, finish = self._message(exchange)
        tokens_in = 3 + sum(tokens(m["content"]) + 4 for m in self._messages)
        tokens_out = tokens(str(message["content"] or exchange.answer))
        usage = {"completion_tokens": tokens_out, "prompt_tokens": tokens_in, "total_tokens": tokens_in + tokens_out}
        took = dice.around(0.4 + tokens_out / 70, 0.3)
        start = when(moment)
        first, end = start + timedelta(seconds=min(took, 0.35)), start + timedelta(seconds=took)
        cost = round(tokens_in * 1.5e-7 + tokens_out * 6e-7, 10)
        end_user = account.raw if account.group.pool else None
        return {
            "id": number,
            "trace_id": self._trace,
            "call_type": "acompletion",
            "cache_hit": None,
            "stream": True,
            "status": "success",
            "custom_llm_provider": "hosted_vllm",
            "saved_cache_cost": 0.0,
            "startTime": _stamp(start),
            "endTime": _stamp(end),
            "completionStartTime": _stamp(first),
            "response_time": round(took, 6),
            "model": self._model,
            "metadata": self._metadata(end_user, address),
            "cache_key": None,
            "response_cost": cost,
            "total_tokens": tokens_in + tokens_out,
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "request_tags": [f"User-Agent: {self._agent}"],
            "end_user": end_user or "",
            "api_base": "https://models.harbor.example/v1",
            "model_group": self._model,
            "model_id": "",
            "requester_ip_address": address,
            "messages": self._messages,
            "response": {
                "id": number,
                "created": int(start.timestamp()),
                "model": self._model,
                "object": "chat.completion",
                "system_fingerprint": None,
                "choices": [{"finish_reason": finish, "index": 0, "message": message}],
                "usage": usage,
            },
            "model_parameters": {"stream": True},
            "error_str": None,
            "error_information": None,
            "guardrail_information": None,
        }

    def _metadata(self, end_user: str | None, address: str) -> dict[str, object]:
        metadata: dict[str, object] = {"user_api_key_hash": self._account.key}
        metadata.update(dict.fromkeys(_NULL_METADATA))
        metadata["user_api_key_user_id"] = self._account.owner
        metadata["requester_ip_address"] = address
        metadata["requester_metadata"] = None
        metadata["user_api_key_end_user_id"] = end_user
        metadata["applied_guardrails"] = []
        metadata["user_agent"] = self._agent
        return metadata

    def _message(self, exchange: Exchange) -> tuple[dict[str, object], str]:
        """The assistant's message and finish reason; models refuse in text, in the refusal field, or are filtered."""
        message: dict[str, object] = {
            "content": exchange.answer,
            "role": "assistant",
            "tool_calls": None,
            "function_call": None,
        }
        finish = "stop"
        if exchange.refused:
            draw = self._dice.real()
            if draw < 0.2:
                message |= {"content": None, "refusal": exchange.answer}
            elif draw < 0.3:
                message["content"], finish = "", "content_filter"
        message["provider_specific_fields"] = {"refusal": message["refusal"]} if "refusal" in message else None
        return message, finish


def tokens(text: str) -> int:
    """About how many tokens a text has: four characters each in ASCII, fewer in other scripts."""
    if text.isascii():
        return len(text) // 4 + 1
    wide = sum(c > "\u2fff" for c in text)
    return (len(text) - wide) // 3 + int(wide * 0.8) + 1


def _stamp(time: object) -> str:
    return str(time)[:26].removesuffix("+00:00") if "." in str(time)[:20] else f"{str(time)[:19]}.000000"
