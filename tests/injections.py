"""Texts that try to become markup, styles, scripts or templates, and how to see in a browser that none of them did.

Whatever would become an element carries `data-xss` or is called `x-xss`; what would run sets `window.__xss`; what
would be loaded comes from xss.example; what a template would compute reads "xss49".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

ELEMENTS = (
    "<img src=x data-xss onerror=__xss=1>",
    "<script data-xss>__xss=1</script>",
    "<SCRIPT data-xss SRC=//xss.example/x.js></SCRIPT>",
    "<svg data-xss onload=__xss=1><circle r=9 /></svg>",
    "<svg><script data-xss>__xss=1</script></svg>",
    "<iframe data-xss srcdoc='<script>parent.__xss=1</script>'></iframe>",
    "<iframe data-xss src=javascript:parent.__xss=1></iframe>",
    "<object data-xss data=//xss.example/x.swf></object>",
    "<embed data-xss src=//xss.example/x.swf>",
    "<body data-xss onload=__xss=1>",
    "<input data-xss autofocus onfocus=__xss=1>",
    "<details data-xss open ontoggle=__xss=1><summary>x</summary></details>",
    "<marquee data-xss onstart=__xss=1>x</marquee>",
    "<video data-xss><source onerror=__xss=1></video>",
    "<audio data-xss src=//xss.example/x.wav autoplay></audio>",
    "<a data-xss href=javascript:__xss=1>x</a>",
    "<form data-xss action=//xss.example/><button>x</button></form>",
    "<meta data-xss http-equiv=refresh content=0;url=//xss.example/>",
    "<base data-xss href=//xss.example/>",
    "<link data-xss rel=stylesheet href=//xss.example/x.css>",
    "<style data-xss>body{--xss:1;background:url(//xss.example/x.png)}</style>",
    "<math><mtext><table><mglyph><style><img data-xss src=x onerror=__xss=1>",
    "<noscript><p title='</noscript><img data-xss src=x onerror=__xss=1>'>",
    "<svg></p><style><a id='</style><img data-xss src=1 onerror=__xss=1>'>",
    "<x-xss>x</x-xss>",
    "<b data-xss>bold</b>",
    "<bdi><bdo data-xss dir=rtl>x</bdo>",
)
BREAKOUTS = (
    "</td></tr></table><img data-xss src=x onerror=__xss=1>",
    "</bdi></span></div><iframe data-xss srcdoc='x'></iframe>",
    "</textarea><svg/data-xss onload=__xss=1>",
    "</style><img data-xss src=x onerror=__xss=1>",
    "</script><script data-xss>__xss=1</script>",
    "</title></head><body data-xss onload=__xss=1>",
    "</select></option><x-xss>x</x-xss>",
    "' data-xss='1' onmouseover='__xss=1",
    '" data-xss="1" onmouseover="__xss=1',
    "'><x-xss>x</x-xss>",
    '"><x-xss>x</x-xss>',
    "` data-xss=1 onmouseover=__xss=1",
    "x' autofocus data-xss tabindex=1 onfocus=__xss=1 x='",
    "--><x-xss>x</x-xss><!--",
    "<!--><x-xss>x</x-xss>-->",
    "<![CDATA[<x-xss>x</x-xss>]]>",
    "]]><x-xss>x</x-xss>",
    "<?xml version='1.0'?><x-xss/>",
)
STYLES = (
    "red;--xss:1;background:url(//xss.example/x.png)",
    "}body{--xss:1;background:url(//xss.example/x.png)}",
    "</style><style data-xss>body{--xss:1}",
    "expression(__xss=1);behavior:url(//xss.example/x.htc)",
)
ADDRESSES = (
    "javascript:__xss=1",
    "JaVaScRiPt&colon;__xss=1//",
    " \tjava\tscript:__xss=1",
    "data:text/html,<script>__xss=1</script>",
    "data:text/html;base64,PHNjcmlwdD5fX3hzcz0xPC9zY3JpcHQ+",
    "//xss.example/x.png",
    "https://xss.example/?q='\"<x-xss>",
)
TEMPLATES = (
    "{{'xss'+7*7}}{{7*7}}{{constructor.constructor('__xss=1')()}}",
    "${__xss=1}${'xss'+7*7}",
    "#{__xss=1} <%= 'xss'+7*7 %> {% if 1 %}xss{{7*7}}{% endif %}",
    "{% for x in [1] %}{{ cycler.__init__.__globals__ }}{% endfor %}",
    "{{#each this}}<x-xss>x</x-xss>{{/each}} {{{'<x-xss>'}}}",
    "__i18n__{\"__type__\":\"translation_metadata\",\"key\":\"<x-xss>x</x-xss>\"}",
)  # fmt: skip
MARKDOWN = (
    "[xss](javascript:__xss=1)",
    "![xss](//xss.example/x.png)",
    "[xss](https://xss.example/a) <https://xss.example/b>",
    "**xss-strong** ~~xss-strong~~ `xss`",
    "# xss-heading",
    "> - xss-item\n\n| xss | b |\n|---|---|\n| c | d |",
    "```html\n<x-xss>x</x-xss>\n```",
    "$$\\href{javascript:__xss=1}{xss-katex}$$ $\\htmlData{xss=1}{x}$ \\(\\frac{1}{2}\\)",
    "```mermaid\ngraph TD; A[\"<img data-xss src=x onerror=__xss=1>\"]\n```",
)  # fmt: skip
TRICKS = (
    "&lt;x-xss&gt;x&lt;/x-xss&gt; &#60;x-xss&#62; &amp;lt;x-xss&amp;gt;",
    "\\u003cx-xss\\u003ex\\x3cx-xss\\x3e %3Cx-xss%3E",
    "＜x-xss＞x＜/x-xss＞ ‹x-xss›",
    "<\u200bx-xss>x</\u200bx-xss>",
    "\u202e<ssx-x>\u202c \u2066<x-xss>\u2069",
    "\u0001<x-xss>\u007f\u0085\u2028<x-xss>\ufeff\ufffd",
    "<x-xss\u00a0/x>\u0000<x-xss>",
    "+ADw-x-xss+AD4- \x1b[31m<x-xss>",
    "=HYPERLINK(\"//xss.example/\",\"x\")",
    "a|b=c|offsets=<x-xss>0</x-xss>",
)  # fmt: skip

INJECTIONS = (*ELEMENTS, *BREAKOUTS, *STYLES, *ADDRESSES, *TEMPLATES, *MARKDOWN, *TRICKS)

# What stands in the document of that which INJECTIONS describe.
FIND_FOREIGN = """() => {
    const found = [];
    const say = (what, element) => found.push(`${what}: ${(element.outerHTML ?? String(element)).slice(0, 300)}`);
    const all = root => [...root.querySelectorAll('*')].flatMap(e => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
    for (const element of all(document)) {
        if (element.localName === 'x-xss' || element.hasAttribute('data-xss')) say('element', element);
        if (element.closest('script, style')) continue;
        for (const {name, value} of element.attributes) {
            if (name.startsWith('on')) say('handler', element);
            if (['href', 'src', 'data', 'action', 'srcdoc', 'poster', 'xlink:href', 'formaction'].includes(name)) {
                if (/^[\\s\\0]*(javascript|data:text\\/html|(https?:)?\\/\\/xss)/i.test(value)) say('address', element);
            }
            if (name === 'style' && /--xss|xss.example/.test(value)) say('style', element);
        }
        if (/^(strong|b|em|del|h[1-6]|li|blockquote)$/.test(element.localName)
            && /^xss-(strong|heading|item)$/.test(element.textContent.trim())) say('markdown', element);
        if (/katex|mermaid/.test(element.getAttribute('class') ?? '')) say('markdown', element);
    }
    if (getComputedStyle(document.body).getPropertyValue('--xss')) found.push('a style of the page');
    if (window.__xss !== undefined) found.push('a script ran');
    const computed = document.body.innerText.match(/.{0,50}xss49.{0,50}/);
    if (computed) found.push(`a template: ${computed[0]}`);
    return [...new Set(found)];
}"""


def find_foreign(page: Page) -> list[str]:
    """Return what stands in the page of that which INJECTIONS describe: nothing, if all is well."""
    found: list[str] = page.evaluate(FIND_FOREIGN)
    return found
