"""What tests ask a page in a browser."""

from playwright.sync_api import Page

CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (c) => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => .2126 * light(r) + .7152 * light(g) + .0722 * light(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const paint = rgba(getComputedStyle(node).backgroundColor);
      if (paint[3] === 255) return paint;
    }
    throw new Error('no opaque background');
  };
  const texts = [...document.body.querySelectorAll('*')].filter((node) => node.checkVisibility()
    && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  return texts.map((node) => {
    const style = getComputedStyle(node), isSvg = node instanceof SVGElement;
    const [a, b] = [rgba(isSvg ? style.fill : style.color), behind(node)].map(luminance);
    return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), node.textContent.slice(0, 40)];
  });
}"""
STOPS = """() => [...document.querySelectorAll('a[href], summary, [tabindex="0"]')]
  .filter((node) => node.checkVisibility()).map((node) => node.outerHTML)"""


def walked(page: Page) -> list[str]:
    """Press Tab through a page, see each stop outlined, find none missing, and return them."""
    stops = page.evaluate(STOPS)
    reached = []
    for _ in stops:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.outerHTML"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == stops
    return stops
