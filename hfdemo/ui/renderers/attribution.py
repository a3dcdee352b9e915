"""The HTML of why: tokens coloured by what they add to an answer, and where a head looks."""

from __future__ import annotations

from collections.abc import Sequence

from hfdemo.inference import AttentionMap, Attribution
from hfdemo.ui.html import about, escape, facts, notes, table, with_title

SHOWN_TOKENS = 400
SHOWN_ROWS = 12
# Below this share of the largest score a token is left without colour.
FAINTEST = 0.03
NO_CAUSE = "Attention shows what was read together. It is not an explanation of the answer."


def render_attribution(found: Attribution) -> str:
    """Draw the text with each token's share of the answer, how far they add up, and the tokens that count most."""
    most = max((abs(score) for score in found.scores), default=0.0) or 1.0
    triples = [*zip(found.tokens, found.scores, found.special, strict=True)][:SHOWN_TOKENS]
    drawn = "".join(_draw_token(token, score, most, special) for token, score, special in triples)
    more = len(found.tokens) - SHOWN_TOKENS
    rest = about(f"… and {more:,} more tokens.") if more > 0 else ""
    legend = (
        "<p class='hf-about'><ins class='hf-why-for'>speaks for it</ins> <del class='hf-why-against'>speaks against "
        "it</del> The stronger the colour, the more.</p>"
    )
    pairs = [("explained", found.target), ("its logit", f"{found.logit:.3f}")]
    if found.baseline is not None and found.error is not None:
        pairs += [
            ("without the words", f"{found.baseline:.3f}"),
            ("the scores add up to", f"{sum(found.scores):.3f}"),
            ("off by", f"{found.error:.2%} of the difference"),
        ]
    pairs.append(("took", f"{found.seconds:.1f} s, {found.steps:,} passes"))
    return (
        notes(found.warnings)
        + f"<div class='hf-why'>{drawn}</div>{rest}{legend}"
        + facts(pairs)
        + with_title("The tokens that count most", _render_strongest(found))
    )


def _draw_token(token: str, score: float, most: float, special: bool) -> str:
    share = abs(score) / most
    said = f"{token}: {score:+.3f}"
    if special or share < FAINTEST:
        kind = " class='hf-why-special'" if special else ""
        return f"<span{kind} title='{escape(said)}'><bdi>{escape(token)}</bdi></span>"
    tag, kind = ("ins", "for") if score > 0 else ("del", "against")
    return (
        f"<{tag} class='hf-why-{kind}' style='--hf-share:{share:.2f}' title='{escape(said)}'>"
        f"<bdi>{escape(token)}</bdi></{tag}>"
    )


def _render_strongest(found: Attribution) -> str:
    order = sorted(range(len(found.scores)), key=lambda place: -abs(found.scores[place]))
    rows = [
        (str(place), found.tokens[place], f"{found.scores[place]:+.3f}")
        for place in order[:SHOWN_ROWS]
        if found.scores[place]
    ]
    return table(("place", "token", "adds to the logit"), rows, (0, 2))


def render_attention(found: AttentionMap) -> str:
    """Draw an attention map: a row for each token, a column for each that it looks at."""
    most = max((weight for weights in found.weights for weight in weights), default=0.0) or 1.0
    head = "the mean of all heads" if found.head is None else f"head {found.head} of {found.heads}"
    said = about(
        f"Layer {found.layer} of {found.layers}, {head}, counted from 0. In each row: what that token is made of; the "
        f"strongest share is {most:.2f}. {NO_CAUSE}"
    )
    columns = "".join(f"<th scope='col'><span>{escape(token)}</span></th>" for token in found.tokens)
    pairs = zip(found.tokens, found.weights, strict=True)
    rows = "".join(_draw_row(token, weights, found.tokens, most) for token, weights in pairs)
    grid = (
        "<div class='hf-attention' tabindex='0' role='region' aria-label='Attention, token by token'>"
        f"<table><thead><tr><td></td>{columns}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    call = about("`model(**inputs, output_attentions=True).attentions[layer][0, head]`")
    return notes(found.warnings) + said + grid + call


def _draw_row(token: str, weights: Sequence[float], tokens: Sequence[str], most: float) -> str:
    cells = "".join(
        f"<td style='--hf-share:{weight / most:.2f}' title='{escape(f'{token} looks at {other}: {weight:.3f}')}'></td>"
        for weight, other in zip(weights, tokens, strict=True)
    )
    return f"<tr><th scope='row'>{escape(token)}</th>{cells}</tr>"
