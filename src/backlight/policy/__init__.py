"""Policies: versioned YAML rules with CEL conditions that say what the guard observes, warns of or refuses.

A policy loads whole or not at all: unknown keys and names, mixed types, failing examples, unreachable rules and refusals
that rest on circumstances alone are found when it is loaded. Nothing here imports the guard.
"""

from __future__ import annotations

from backlight.policy._cel import CelError, Expression, Failure
from backlight.policy._holder import PolicyHolder
from backlight.policy._load import FIELDS, POLICY_KEYS, RULE_KEYS, Report, builtin, check, load
from backlight.policy._model import ACTIONS, FAILS, MODES, TYPOLOGIES, Action, Fail, Mode, Outcome, Policy, Rule
from backlight.policy._variables import SIGNALS, VARIABLES, Variable

__all__ = [
    "ACTIONS",
    "FAILS",
    "FIELDS",
    "MODES",
    "POLICY_KEYS",
    "RULE_KEYS",
    "SIGNALS",
    "TYPOLOGIES",
    "VARIABLES",
    "Action",
    "CelError",
    "Expression",
    "Fail",
    "Failure",
    "Mode",
    "Outcome",
    "Policy",
    "PolicyHolder",
    "Report",
    "Rule",
    "Variable",
    "builtin",
    "check",
    "load",
]
