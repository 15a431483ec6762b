"""One form for equal things: texts, links, hashtags, addresses, times; and pseudonyms for identities.

Everything that is hashed to be compared goes through here first, so that a prompt, a model's output, the post made from
it and a lead from outside hash alike. Input is hostile: patterns run on RE2 (linear time), host names are bounded, and
nothing here raises on text of any kind.
"""

from __future__ import annotations

import hmac
import ipaddress
import unicodedata
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from urllib.parse import unquote, urlsplit

import re2
from publicsuffixlist import PublicSuffixList

from .hashing import number

# ---------------------------------------------------------------- patterns

_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}"
_STOP = r"\s<>\"“”„‘’«»，。、！？；：（）【】「」『』《》｜"
_LABEL = rf"[^{_STOP}{_CJK}/?#@:.,;!()\[\]{{}}|\\^`'*+=$%&~]"
_HOST = rf"(?:{_LABEL}+(?:\.{_LABEL}+)*|[{_CJK}][\p{{L}}\p{{N}}.\-]*)"
_TAIL = rf"(?::\d{{1,5}})?(?:[/?#][^{_STOP}{_CJK}]*)?"
# A name without a scheme counts as a link where its ending is one that sentences and file names do not have by chance.
_ENDINGS = "com|net|org|info|biz|news|online|site|shop|club|app|blog|media|press|live|world|top|xyz|example|test|invalid"
_LINK = re2.compile(
    rf"(?i)(?:h(?:tt|xx)ps?://(?:[^{_STOP}/?#@{_CJK}]*@)?{_HOST}{_TAIL}|www\.{_HOST}{_TAIL}"
    rf"|\b(?:[\p{{L}}\p{{N}}][\p{{L}}\p{{N}}\-]*\.)+(?:(?:{_ENDINGS})\b|[a-z]{{2,24}}/){_TAIL})"
)
_MENTION = re2.compile(r"(?:^|[^\p{L}\p{N}_.+\-@/])(@[\p{L}\p{N}_][\p{L}\p{N}_.\-]*(?:@[\p{L}\p{N}\-.]+)?)")
# After a letter a sign begins no tag (C#, a#b), but scripts without spaces put it there; #话题# is closed by a second sign.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_HASHTAG = re2.compile(rf"(?:^|[^\p{{L}}\p{{N}}_&/#]|[{_UNSPACED}])[#＃]([\p{{N}}_]*[\p{{L}}][\p{{L}}\p{{M}}\p{{N}}_]*)[#＃]?")
_TAG = r"#[\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*"
_TAGS_FIRST = re2.compile(rf"^(?:[^\p{{L}}\p{{N}}#]*{_TAG})+(?:[^\p{{L}}\p{{M}}\p{{N}}_#]|$)")
_TAGS_LAST = re2.compile(
    rf"(?:^|[^\p{{L}}\p{{N}}_&/#])[^\p{{L}}\p{{N}}#]*{_TAG}(?:[^\p{{L}}\p{{N}}#]*{_TAG})*[^\p{{L}}\p{{N}}]*$"
)
_REPOST = re2.compile(r"^\s*rt\s+@[\p{L}\p{N}_.]+:")
# Signs that NFKC would turn into letters or digits though people read them as pictures.
_KEYCAP, _AS_PICTURE = "\u20e3", "\ufe0f"
_PICTURES = re2.compile(r"[0-9#*]\x{FE0F}?\x{20E3}|[^0-9#*]\x{FE0F}")
_SIGNS = "©®™℠ℹⓂ㊗㊙"
_VARIANTS = (("ı", "i"), ("\u0307", ""), ("ـ", ""))  # dotless i, the dot of a folded capital I, the Arabic stretch


class _Fold(dict[int, str | None]):
    """For `str.translate`: letters, marks and digits stay, joiners vanish, everything else is a space. Filled as met."""

    def __missing__(self, code: int) -> str | None:
        sign = chr(code)
        kind = unicodedata.category(sign)
        kept: str | None = " "
        if kind == "Cf" or sign in "'’‘ʼ`´′＇" or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
            kept = None
        elif kind[0] in "LNM" and kind != "Me":
            kept = sign
        self[code] = kept
        return kept


_FOLD = _Fold()
_UNSPACED = "\x00"
_UNSPACED_BLOCKS = (  # Thai, Lao, Myanmar, Khmer, kana and their forms, Han and its extensions
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x20000, 0x323AF),
)  # fmt: skip


class _Spacing(dict[int, str]):
    """For `str.translate`: every character of a script without spaces becomes one sign. Filled as met."""

    def __missing__(self, code: int) -> str:
        kept = " " if code == 0 else chr(code)
        if any(first <= code <= last for first, last in _UNSPACED_BLOCKS):
            kept = _UNSPACED
        self[code] = kept
        return kept


_SPACING = _Spacing()


def _compatible(text: str) -> str:
    """NFKC, case folded; pictures gone; dotted and dotless i alike, so that a change of case never tells texts apart."""
    if text.isascii():
        return text.lower()
    text = _valid(text)
    if _AS_PICTURE in text or _KEYCAP in text:
        text = _PICTURES.sub(" ", text)
    for sign in _SIGNS:
        text = text.replace(sign, " ")
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    for variant, plain in _VARIANTS:
        text = text.replace(variant, plain)
    return text


def _valid(text: str) -> str:
    """The text with lone surrogates replaced, which RE2 and UTF-8 cannot carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def canonical_text(text: str) -> str:
    """The form under which a model's output and the post made from it are equal.

    NFKC and case folded; links, @mentions, hashtags before the first or after the last word, the signs of other
    hashtags, emoji, punctuation, dashes and invisible signs removed; apostrophes closed up (don't, dont); white space
    folded to single spaces. A text of hashtags alone keeps their words.
    """
    if "&" in text:
        text = _unescape(text)
    text = _compatible(text)
    if "@" in text:
        text = _REPOST.sub(" ", text)
    if "." in text or "://" in text:
        text = _LINK.sub(" ", text)
    if "@" in text:
        text = _without(text, _MENTION)
    if "#" in text:
        text = _without_outer_hashtags(text)
    return " ".join(text.translate(_FOLD).split())


def _unescape(text: str) -> str:
    """Platforms' interfaces give some signs as HTML entities."""
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&amp;", "&")):
        text = text.replace(entity, sign)
    return text


def _without(text: str, pattern: re2._Regexp) -> str:
    """The text with group 1 of each match cut out."""
    parts, end = [], 0
    for match in pattern.finditer(text):
        parts += [text[end : match.start(1)], " "]
        end = match.end(1)
    return "".join([*parts, text[end:]])


def _without_outer_hashtags(text: str) -> str:
    inner = _TAGS_LAST.sub(" ", _TAGS_FIRST.sub(" ", text))
    return inner if inner.translate(_FOLD).strip() else text


def words(text: str) -> int:
    """Length in words: tokens between spaces, plus characters / 2 of scripts that write without spaces."""
    if text.isascii():
        return len(text.split())
    plain = text.translate(_SPACING)
    return len(plain.replace(_UNSPACED, " ").split()) + plain.count(_UNSPACED) // 2


# ---------------------------------------------------------------- links, hashtags, handles

# Added by platforms and mailers to a link after the author wrote it. A campaign's own parameters (ref, id, ...) stay.
_CLICK_IDS = frozenset(
    name
    for names in (
        "fbclid gclid gbraid wbraid dclid msclkid yclid ttclid twclid igshid igsh mc_cid mc_eid",
        "_hsenc _hsmi ref_src ref_url s_cid vero_id oly_anon_id oly_enc_id",
    )
    for name in names.split()
)
_PORTS = {"http": 80, "https": 443}


def find_urls(text: str) -> list[str]:
    """Links in the order they stand, as written, without the punctuation of the sentence around them."""
    if "." not in text:
        return []
    return [url for match in _LINK.finditer(_valid(text)) if (url := _trim(match.group(0)))]


def _trim(url: str) -> str:
    while url and url[-1] in ".,;:!?'\"*_~…)]}>":
        pair = {")": "(", "]": "[", "}": "{"}.get(url[-1])
        if pair and url.count(pair) >= url.count(url[-1]):
            break
        url = url[:-1]
    return url


def find_hashtags(text: str) -> list[str]:
    """Canonical hashtags in the order they stand, repeats included; those of digits alone are not hashtags."""
    if "#" not in text and "＃" not in text:
        return []
    return [canonical_hashtag(match.group(1)) for match in _HASHTAG.finditer(_valid(text))]


def find_handles(text: str) -> list[str]:
    """Mentioned handles in the order they stand: case folded, without the sign; `name@host` for federated ones."""
    if "@" not in text and "＠" not in text:
        return []
    plain = unicodedata.normalize("NFKC", _valid(text))
    return [match.group(1)[1:].rstrip(".-").casefold() for match in _MENTION.finditer(plain)]


def canonical_hashtag(tag: str) -> str:
    """A hashtag without its sign: NFKC, case folded, spaces and invisible signs gone; underscores stay."""
    return "".join(sign for sign in _compatible(tag) if sign == "_" or ((kept := _FOLD[ord(sign)]) and kept != " "))


def canonical_handle(handle: str) -> str:
    """A handle without its sign, NFKC, case folded."""
    return _compatible(handle).strip().lstrip("@")


def canonical_url(url: str) -> str | None:
    """A link in one form, or None where it is none.

    Scheme https for http as well, host in lower-case ASCII (IDNA) without `www.`, no user, default port, fragment,
    click id or utm parameter, no slash at the end; the query's other parameters stay in their order. Defanged links
    (hxxp, [.]) are read. Bounded to 2,048 characters.
    """
    url = _refang(url.strip())
    if not url or len(url) > 2048:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        port = parts.port
    except ValueError:
        return None
    host = _ascii_host(parts.hostname or "")
    if host is None or parts.scheme.lower() not in _PORTS or ("." not in host and ":" not in host):
        return None
    host = host.removeprefix("www.")
    host = f"[{host}]" if ":" in host else host
    at = f"{host}:{port}" if port and port != _PORTS[parts.scheme.lower()] else host
    kept = [p for p in parts.query.split("&") if p and not _is_click_id(p)]
    query = "?" + "&".join(kept) if kept else ""
    return f"https://{at}{parts.path.rstrip('/')}{query}"


def _is_click_id(parameter: str) -> bool:
    name = unquote(parameter.partition("=")[0]).casefold()
    return name.startswith("utm_") or name in _CLICK_IDS


def _refang(url: str) -> str:
    url = url.replace("[.]", ".").replace("(.)", ".").replace("[:]", ":")
    return "http" + url[4:] if url[:4].lower() == "hxxp" else url


@lru_cache(maxsize=65_536)
def _ascii_host(host: str) -> str | None:
    """The host in lower-case ASCII, non-ASCII labels as punycode (IDNA 2008 letters, mapped as UTS 46 without transition)."""
    host = unicodedata.normalize("NFKC", host.lower()).lower().replace("。", ".").strip(".")
    if not host or len(host) > 253:
        return None
    address = _address(host)
    if address is not None:
        return str(address)
    labels = [label if label.isascii() else "xn--" + _punycode(label) for label in host.split(".")]
    if any(not 1 <= len(label) <= 63 or not _HOST_LABEL.fullmatch(label) for label in labels):
        return None
    return ".".join(labels)


_HOST_LABEL = re2.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")


def _punycode(label: str) -> str:
    try:
        return label.encode("punycode").decode("ascii")
    except UnicodeError:
        return ""


def registrable_domain(url_or_host: str) -> str | None:
    """The domain someone registered, by the public suffix list (private section included), or None.

    `news.brand.co.uk` and `https://www.brand.co.uk/x` give `brand.co.uk`; an unknown ending counts as a suffix of one
    label; a host that is an address gives the address; a bare suffix gives None.
    """
    text = _refang(url_or_host.strip())
    if len(text) > 2048:
        return None
    try:
        host = urlsplit(text if "://" in text else f"https://{text}").hostname or ""
    except ValueError:
        return None
    return _domain_of(host)


@cache
def _suffixes() -> PublicSuffixList:
    """The list that comes with the package; read when it is first asked for."""
    return PublicSuffixList()


@lru_cache(maxsize=65_536)
def _domain_of(host: str) -> str | None:
    ascii_host = _ascii_host(host)
    if ascii_host is None:
        return None
    if _address(ascii_host) is not None:
        return ascii_host
    domain = _suffixes().privatesuffix(ascii_host)
    return str(domain) if domain and "." in domain else None


# ---------------------------------------------------------------- addresses and other identifiers

_OPAQUE = re2.compile(r"[0-9a-fA-F]{16,128}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id:
            return ipaddress.IPv6Address(int(address))
    return address


def _bare_address(value: str) -> str:
    """The address in `198.51.100.7:443`, `[2001:db8::1]:443` or `client, proxy, proxy`."""
    value = value.split(",", 1)[0].strip()
    if value.startswith("["):
        return value[1:].partition("]")[0]
    if value.count(":") == 1 and "." in value:
        return value.partition(":")[0]
    return value


@lru_cache(maxsize=262_144)
def _address_values(value: str) -> tuple[tuple[str, str], ...]:
    bare = _bare_address(value[:256])
    address = _address(bare)
    if address is None:
        return (("address", bare.lower()),) if _OPAQUE.fullmatch(bare) else ()
    if address.is_unspecified or address.is_loopback or address.is_link_local or address.is_multicast:
        return ()
    if isinstance(address, ipaddress.IPv4Address):
        return ("address", str(address)), ("address_net", str(ipaddress.ip_network((address, 24), strict=False)))
    return (("address", str(ipaddress.ip_network((address, 64), strict=False))),)


def address_values(ip: str) -> dict[str, str]:
    """The values under which an address is compared, by identifier kind.

    IPv4: `address` exact and `address_net` its /24. IPv6: `address` its /64 (a household or host has one). IPv4-mapped
    IPv6 is IPv4; ports, zones and proxies after a comma are dropped. A hashed address (16 or more hex digits, as some
    exports give) is compared as it is. Empty for what is no address, and for those that many hosts share by definition
    (unspecified, loopback, link-local, multicast).
    """
    return dict(_address_values(ip.strip()))


_NOT_DIGIT = re2.compile(r"[^0-9]")
IDENTIFIER_KINDS = (
    "address",
    "address_net",
    "device",
    "payment",
    "phone",
    "email",
    "email_domain",
    "user_agent",
    "sign_up",
    "other",
)
_SPELLINGS = {"ip": "address", "ip_address": "address", "e-mail": "email", "mail": "email", "ua": "user_agent"}


def identifier_values(kind: str, value: str) -> list[tuple[str, str]]:
    """The (kind, canonical value) pairs that one identifier as given stands for; empty where it says nothing.

    `ip` gives address and address_net; an e-mail gives itself (lower case, +tag dropped) and its domain; a phone its
    digits without leading zeros; others their text with folded spaces. An unknown kind is `other`, prefixed by its name.
    """
    kind = _SPELLINGS.get(kind.strip().lower(), kind.strip().lower())
    value = " ".join(value.split())[:4096]
    if not value:
        return []
    if kind == "address":
        return list(_address_values(value))
    if kind == "email":
        return _email_values(value)
    if kind == "phone":
        digits = _NOT_DIGIT.sub("", unicodedata.normalize("NFKC", value)).lstrip("0")
        return [("phone", digits)] if len(digits) >= 5 else []
    if kind == "email_domain":
        domain = registrable_domain(value.lstrip("@"))
        return [("email_domain", domain)] if domain else []
    return [(kind, value)] if kind in IDENTIFIER_KINDS else [("other", f"{kind}:{value}")]


def _email_values(value: str) -> list[tuple[str, str]]:
    local, at, host = _compatible(value).strip("<> ").rpartition("@")
    domain = registrable_domain(host) if at and local else None
    if domain is None:
        return []
    return [("email", f"{local.partition('+')[0] or local}@{_ascii_host(host) or host}"), ("email_domain", domain)]


# ---------------------------------------------------------------- times

_FIRST, _LAST = 315_532_800.0, 4_102_444_800.0  # 1980 and 2100: outside, a number is no time of a log
_NUMERIC = re2.compile(r"[0-9]{8,20}(?:\.[0-9]+)?")


def parse_time(value: object) -> datetime | None:
    """A time in UTC, or None where the value is none.

    Takes ISO 8601 (a time without zone is UTC), epoch seconds, milliseconds, microseconds or nanoseconds (told apart by
    size, number or digits), RFC 2822, the dates of older X exports, `datetime`. Times before 1980 and after 2100 are
    none: zero and its like stand for "not set".
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, datetime):
        return _bounded(value)
    if isinstance(value, int | float):
        return _epoch(float(value))
    if not isinstance(value, str):
        return None
    return _parse_text_time(value.strip())


def _parse_text_time(text: str) -> datetime | None:
    if not 8 <= len(text) <= 64:
        return None
    if _NUMERIC.fullmatch(text) and not (len(text) == 8 and text[:2] in ("19", "20")):
        return _epoch(float(text))
    try:
        return _bounded(datetime.fromisoformat(text))
    except ValueError:
        pass
    for form in ("%a %b %d %H:%M:%S %z %Y", "%Y-%m-%d %H:%M:%S UTC", "%Y/%m/%d %H:%M:%S", "%d/%m/%Y %H:%M:%S"):
        try:
            return _bounded(datetime.strptime(text, form))
        except ValueError:
            continue
    try:
        return _bounded(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _epoch(number_: float) -> datetime | None:
    for scale in (1.0, 1e3, 1e6, 1e9):
        seconds = number_ / scale
        if _FIRST <= seconds < _LAST:
            return datetime.fromtimestamp(seconds, UTC)
    return None


def _bounded(time: datetime) -> datetime | None:
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        return None
    return utc if 1980 <= utc.year < 2100 else None


# ---------------------------------------------------------------- pseudonyms


class Pseudonyms:
    """Keyed names for identities: HMAC-SHA-256 with a prefix per kind (RFC 2104).

    Fields are joined with their lengths, so no two different identities give the same bytes. The int64 id is the first
    8 bytes with the sign bit cleared; the first 16 bytes are kept beside it.

    Args:
        key: at least 16 secret bytes, used for nothing else.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError(f"a pseudonym key has at least 16 bytes, not {len(key)}")
        self._key = key

    def _name(self, *fields: str) -> tuple[int, bytes]:
        encoded = [field.encode("utf-8", "surrogatepass") for field in fields]
        message = b"".join(len(field).to_bytes(4, "big") + field for field in encoded)
        digest = hmac.digest(self._key, message, "sha256")
        return number(digest), digest[:16]

    def account(self, level: str, raw: str, *, key: str | None = None) -> tuple[int, bytes]:
        """Id and 16-byte digest of an account: an end user belongs to its API key, every other level stands alone."""
        scope = key or "" if level == "end_user" else ""
        return self._name("account", level, scope, raw)

    def key(self, raw: str) -> int:
        """Id of an API key (or of its hash, as the log gives it)."""
        return self._name("key", raw)[0]

    def tenant(self, raw: str) -> int:
        """Id of an organisation or team."""
        return self._name("tenant", raw)[0]

    def author(self, platform: str, raw: str) -> int:
        """Id of a platform account."""
        return self._name("author", platform.lower(), raw)[0]

    def conversation(self, raw: str) -> int:
        """Id of a session or conversation."""
        return self._name("conversation", raw)[0]
