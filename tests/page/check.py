"""Looks at the report in a real browser, as a reader would who was mailed the file.

    check.py SCSIM FOLDER

Builds the reports of two scenarios, and one with two sweeps and a search for a capacity, opens each from the disk, and fails on any message in the console, any
exception, any request, any panel that is missing or invisible, any chart without a table twin that has rows,
controls that the Tab key does not reach, a theme that does not turn, a zoom that does not move, text that a file
smuggles in as markup. Leaves a picture of every panel, light and dark, in FOLDER.
"""

import json
import os
import pathlib
import subprocess
import sys

import browser

WIDTH = 1280
NARROW = 390
SIZE_MAX = 1_500_000

PANELS = (
    "verdict",
    "compare",
    "timeline",
    "topology",
    "lanes",
    "latency",
    "attribution",
    "replications",
    "cost",
    "scenario",
    "assumptions",
    "data",
)

# Scenario, extra arguments, panels beside those of every report.
REPORTS = (
    ("wedged-replica", ["scenarios/wedged-replica.toml", "--replications", "4", "--duration", "100s"]),
    ("bad-deploy", ["scenarios/library/deploys/bad-deploy-rollback.toml", "--replications", "3"]),
)

# A scenario whose sweep and search are quick, and what is asked about it.
STUDIED = """
title = "studied"
[service.web]
calls = ["stock"]
[service.stock]
tasks       = 2
concurrency = 1
latency     = { p50 = "15ms", p99 = "60ms" }
[load]
rate = "30/s"
[run]
duration     = "20s"
replications = 3
[[expect]]
that = "p99 < 400ms"
"""
GRID = ["--vary", "service.stock.tasks=1,2", "--vary", "load.rate=20/s,40/s,70/s", "--fast"]
LINE = ["--vary", "load.rate=20/s,40/s,70/s,80/s", "--fast"]
SEARCH = ["--slo", "p99<300ms,error_rate<1%", "--variant", "n-1", "--rate-max", "200/s", "--within", "20%"]
SEARCH += ["-n", "2", "--max-replications", "3", "--duration", "10s", "--plane", "service-connect,internal-alb"]

# What a hostile file might say where a page shows its text.
EVIL = '</script><script>window.evil=1</script><img src=x onerror="window.evil=2">'


class Failed(Exception):
    """Something that a reader would complain about."""


def need(condition, what):
    if not condition:
        raise Failed(what)


def build(scsim, folder, name, arguments):
    """Runs a scenario; returns its result file and its page."""
    result, page = folder / f"{name}.json", folder / f"{name}.html"
    command = [scsim, "run", *arguments, "--json", str(result), "--html", str(page), "--quiet", "--exit-zero"]
    subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
    again = folder / f"{name}-again.html"
    subprocess.run([scsim, "report", str(result), "-o", str(again)], check=True, timeout=60)
    need(page.read_bytes() == again.read_bytes(), "`run --html` and `report` make different pages")
    again.unlink()
    size = page.stat().st_size
    need(size < SIZE_MAX, f"the page has {size} bytes")
    print(f"{name}: {size / 1e3:.0f} KB")
    return result, page


def quiet(tab, when):
    complaints = tab.complaints()
    need(not complaints, f"{when}: {complaints}")


def boxes(tab):
    """Place and size of every panel."""
    return tab.ask(
        "Object.fromEntries([].map.call(document.querySelectorAll('section.panel'), p => { const r = p.getBoundingClientRect();"
        " return [p.id, [r.x + scrollX, r.y + scrollY, r.width, r.height]]; }))"
    )


def check_panels(tab, name, folder):
    for scheme in ("light", "dark"):
        tab.scheme(scheme)
        places = boxes(tab)
        for panel in PANELS:
            need(panel in places, f"panel `{panel}` is missing")
            x, y, width, height = places[panel]
            need(width > 300 and height > 40, f"panel `{panel}` is {width} by {height}")
            tab.picture(str(folder / f"{name}-{panel}-{scheme}.png"), (0, y, WIDTH, min(height, 4000)))
        # Dark is dark: a page that forgot a colour has letters of the colour of the paper.
        ink, paper = (luminance(tab, "getComputedStyle(document.body)." + what) for what in ("color", "backgroundColor"))
        need(abs(ink - paper) > 0.6, f"{scheme}: letters {ink:.2f} on {paper:.2f}")
        need((paper < 0.2) == (scheme == "dark"), f"{scheme}: the paper has {paper:.2f}")
    tab.scheme("light")


def luminance(tab, expression):
    red, green, blue = json.loads("[" + tab.ask(expression).split("(")[1].split(")")[0] + "]")[:3]
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def check_twins(tab):
    """Each chart has a table with rows, and a line or a dot for what it says."""
    charts = tab.ask(
        "[].map.call(document.querySelectorAll('figure'), f => ({ id: f.id, rows: f.querySelectorAll('table tbody tr').length,"
        " drawn: f.querySelectorAll('.plot polyline, .plot circle, .plot path, .plot rect, .flow, .fall').length,"
        " chart: f.classList.contains('chart') || f.classList.contains('map'), named: !!f.querySelector('[role=img],table') }))"
    )
    need(len(charts) > 8, f"{len(charts)} charts")
    for chart in charts:
        need(chart["id"], f"a chart without a name: {chart}")
        need(chart["rows"] > 0, f"chart `{chart['id']}` has no table with rows")
        need(chart["named"], f"chart `{chart['id']}` is nothing to a screen reader")
        need(chart["drawn"] > 0 or not chart["chart"], f"chart `{chart['id']}` is empty")
    broken = tab.ask(
        "[].filter.call(document.querySelectorAll('svg [points],svg [d],svg [x],svg [width]'), e => "
        "/NaN|Infinity|undefined/.test(e.getAttribute('points') + e.getAttribute('d') + e.getAttribute('x') + e.getAttribute('width'))).length"
    )
    need(broken == 0, f"{broken} shapes have no place")
    ids = tab.ask("[].map.call(document.querySelectorAll('[id]'), e => e.id)")
    need(len(ids) == len(set(ids)), f"two elements have one name: {sorted(i for i in ids if ids.count(i) > 1)[:5]}")


def check_labels(tab):
    """Labels of one chart do not lie on each other, and none is cut off."""
    found = tab.ask(
        """[].flatMap.call(document.querySelectorAll('figure svg[role=img]'), svg => {
             const frame = svg.getBoundingClientRect();
             const all = [].filter.call(svg.querySelectorAll('.axis text, .names text'), t => t.textContent).map(t => [t.textContent, t.getBoundingClientRect()]);
             const bad = [];
             all.forEach(([text, a], i) => {
               if (a.left < frame.left - 1 || a.right > frame.right + 1) bad.push(text + ' is cut off');
               all.slice(i + 1).forEach(([other, b]) => {
                 if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3) bad.push(text + ' lies on ' + other);
               });
             });
             return bad.map(b => svg.closest('figure').id + ': ' + b);
           })"""
    )
    need(not found, f"labels: {found[:5]}")


def check_keyboard(tab):
    """Tab goes through every control in the order of the page."""
    tab.ask("window.scrollTo(0, 0); document.activeElement.blur()")
    seen = []
    for _ in range(500):
        tab.press("Tab")
        # A page that can be left hands the focus to the browser in the end.
        focus = tab.ask(
            "(e => e === document.body || !e ? null : [e.id || e.dataset.name || e.className.baseVal || e.className || e.tagName,"
            " e.tagName, getComputedStyle(e).outlineStyle])(document.activeElement)"
        )
        if focus is None:
            break
        seen.append(focus)
    names = [name for name, *_ in seen]
    need("theme" in names, f"the theme is out of reach: {names[:8]}")
    for tag in ("INPUT", "SUMMARY", "BUTTON", "A", "PRE"):
        need(any(tag == found for _, found, _ in seen), f"no {tag} is reached with Tab")
    need(any("play" in name for name in names), "the map cannot be played from the keyboard")
    need(all(outline != "none" for _, _, outline in seen), f"no focus is seen on {[n for n, _, o in seen if o == 'none'][:5]}")
    reachable = tab.ask(
        "[].filter.call(document.querySelectorAll('figure.chart > .scroll'), e => e.offsetParent).length"
    )
    scrolls = sum(1 for name in names if name == "scroll")
    need(scrolls >= reachable, f"{scrolls} of {reachable} charts are reached")


def check_theme(tab):
    before = tab.ask("getComputedStyle(document.body).backgroundColor")
    tab.ask("document.getElementById('theme').focus()")
    tab.press("Enter", text="\r")
    after = tab.ask("getComputedStyle(document.body).backgroundColor")
    need(before != after, "the theme does not turn")
    need(tab.ask("document.getElementById('theme').getAttribute('aria-pressed')") == "true", "the button does not say so")
    tab.press("Enter", text="\r")
    need(tab.ask("getComputedStyle(document.body).backgroundColor") == before, "the theme does not turn back")


def check_readings(tab):
    """Pointer and keys read a chart; a drag zooms all of them and the button undoes it."""
    box = tab.ask(
        "(f => { f.scrollIntoView({ block: 'center', behavior: 'instant' }); const r = f.querySelector('.plot').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })"
        "(document.getElementById('over-errors'))"
    )
    x, y, width, height = box
    tab.mouse("mouseMoved", x + width * 0.5, y + height * 0.5)
    hint = tab.ask("document.getElementById('hint').hidden ? '' : document.getElementById('hint').textContent")
    need(hint.startswith("t = ") and "\n" in hint, f"the pointer reads {hint!r}")
    view = "document.querySelector('#over-p99 .plot').getAttribute('viewBox')"
    whole = tab.ask(view)
    tab.mouse("mousePressed", x + width * 0.4, y + height * 0.5, 1)
    tab.mouse("mouseMoved", x + width * 0.6, y + height * 0.5, 1)
    tab.mouse("mouseReleased", x + width * 0.6, y + height * 0.5)
    zoomed = tab.ask(view)
    need(zoomed != whole, "a drag zooms nothing")
    need(abs(float(zoomed.split()[2]) / float(whole.split()[2]) - 0.2) < 0.02, f"the zoom is {zoomed} of {whole}")
    need(tab.ask("document.querySelector('#over-p99 .xticks').textContent") != "", "a zoomed axis has no labels")
    tab.ask("document.querySelector('button.reset').click()")
    need(tab.ask(view) == whole, "the button does not show the whole run")
    tab.ask("document.querySelector('#over-errors > .scroll').focus()")
    tab.press("End")
    last = tab.ask("document.getElementById('hint').textContent")
    tab.press("ArrowLeft")
    need(tab.ask("document.getElementById('hint').textContent") != last, "arrows do not move the reading")
    tab.press("Escape")
    need(tab.ask("document.getElementById('hint').hidden"), "Escape does not close the reading")


def check_choices(tab):
    """Relative figures, planes, the map's time, defaults, the filter."""
    tab.ask("document.querySelector('fieldset[data-relative] input[value=\"0\"]').click()")
    need(tab.ask("document.querySelectorAll('#side .rel:not([hidden])').length") > 3, "nothing is relative")
    tab.ask("document.querySelector('fieldset[data-relative] input[value=\"\"]').click()")
    need(tab.ask("document.querySelectorAll('#side .rel:not([hidden])').length") == 0, "something stays relative")
    state = "[].map.call(document.querySelectorAll('#map .flow'), f => f.getAttribute('class') + f.querySelector('.line').getAttribute('stroke-width')).join()"
    whole = tab.ask(state)
    tab.ask("(r => { r.value = 1; r.dispatchEvent(new Event('input', { bubbles: true })); })(document.querySelector('.player input[type=range]'))")
    need(tab.ask("document.querySelector('.player output').textContent") != "whole run", "the map has no time")
    tab.ask("(r => { r.value = 0; r.dispatchEvent(new Event('input', { bubbles: true })); })(document.querySelector('.player input[type=range]'))")
    need(tab.ask(state) == whole, "the map does not come back")
    views = tab.ask("[].map.call(document.querySelectorAll('[data-view]'), v => v.hidden)")
    need(views.count(False) == 1, f"lanes of {views.count(False)} planes are seen")
    tab.ask("document.querySelector('.hide-defaults').click()")
    need(tab.ask("[].every.call(document.querySelectorAll('.toml i'), i => i.offsetParent === null)"), "defaults stay")
    rows = "[].filter.call(document.querySelectorAll('#constants tbody tr'), r => !r.hidden).length"
    count = tab.ask(rows)
    tab.ask("(f => { f.value = 'ecs.'; f.dispatchEvent(new Event('input', { bubbles: true })); })(document.querySelector('.filter'))")
    need(0 < tab.ask(rows) < count, "the filter filters nothing")


def check_data(tab, result):
    embedded = tab.ask("document.getElementById('result-json').textContent")
    kept, whole = json.loads(embedded), json.loads(result.read_text(encoding="utf-8"))
    need(kept["digest"] == whole["digest"], "the page holds another result")
    need(kept["summary"] == whole["summary"] or kept["summary"]["title"] == whole["summary"]["title"], "the summary differs")


def check_narrow(tab, page, name, folder):
    tab.open(page.as_uri(), NARROW, 800)
    wide = tab.ask("document.documentElement.scrollWidth")
    need(wide <= NARROW, f"the page is {wide} wide on a screen of {NARROW}")
    height = tab.ask("document.documentElement.scrollHeight")
    tab.picture(str(folder / f"{name}-narrow.png"), (0, 0, NARROW, min(height, 6000)))
    quiet(tab, "narrow")


def check_without_script(tab, page):
    tab.call("Emulation.setScriptExecutionDisabled", {"value": True})
    tab.open(page.as_uri(), WIDTH, 900)
    tab.call("Emulation.setScriptExecutionDisabled", {"value": False})
    need(tab.ask("[].every.call(document.querySelectorAll('.js'), e => e.offsetParent === null)"), "dead controls are shown")
    need(tab.ask("[].every.call(document.querySelectorAll('[data-view]'), e => e.offsetParent !== null)"), "planes are hidden")


def check_print(tab, page, name, folder):
    import base64

    tab.open(page.as_uri(), WIDTH, 900)
    data = base64.b64decode(tab.call("Page.printToPDF", {"printBackground": True})["data"])
    need(data.startswith(b"%PDF") and len(data) > 20_000, "it prints nothing")
    (folder / f"{name}.pdf").write_bytes(data)


def poison(value, key=""):
    """Adds markup to every text but the schema."""
    if isinstance(value, dict):
        return {k: poison(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poison(v, key) for v in value]
    return value + EVIL if isinstance(value, str) and key != "schema" else value


def check_hostile(scsim, tab, result, folder):
    """Every text of a result says something that would be markup; none of it is."""
    document = json.loads(result.read_text(encoding="utf-8"))

    for poisoned in (poison(document), [poison(document), poison(document)]):
        evil, page = folder / "hostile.json", folder / "hostile.html"
        evil.write_text(json.dumps(poisoned), encoding="utf-8")
        subprocess.run([scsim, "report", str(evil), "-o", str(page)], check=True, timeout=60)
        tab.open(page.as_uri(), WIDTH, 900)
        quiet(tab, "hostile texts")
        need(tab.ask("window.evil === undefined && document.images.length === 0"), "a text of the file became markup")
        many = isinstance(poisoned, list)
        need(tab.ask("document.querySelectorAll('section.panel').length") >= len(PANELS) * (2 if many else 1), "panels are lost")
        check_ids = tab.ask("(a => a.length === new Set(a).size)([].map.call(document.querySelectorAll('[id]'), e => e.id))")
        need(check_ids, "two results share a name")
        evil.unlink()
        page.unlink()


def build_studies(scsim, folder):
    """A result, a sweep over two fields, one over one field, a search: their files."""
    (folder / "studied.toml").write_text(STUDIED, encoding="utf-8")
    files = []
    for name, arguments in (("run", []), ("sweep", GRID), ("sweep", LINE), ("capacity", SEARCH)):
        files.append(folder / f"studied-{len(files)}.json")
        command = [scsim, name, "studied.toml", *arguments, "--json", str(files[-1]), "--quiet"]
        subprocess.run(command + (["--exit-zero"] if name == "run" else []), cwd=folder, timeout=60, stdout=subprocess.DEVNULL)
        need(files[-1].is_file(), f"`scsim {name}` writes no JSON")
    return files


def report(scsim, files, page):
    subprocess.run([scsim, "report", *map(str, files), "-o", str(page)], check=True, timeout=60)
    need(page.stat().st_size < SIZE_MAX, f"{page.name} has {page.stat().st_size} bytes")
    return page


def contrast(a, b):
    bright, dark = max(a, b), min(a, b)
    return (bright + 0.05) / (dark + 0.05)


def linear(colour):
    """Relative luminance of WCAG."""
    parts = [c / 255 / 12.92 if c / 255 <= 0.03928 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def check_tiles(tab, scheme):
    """Numbers in a heat map are read on every shade."""
    tiles = tab.ask(
        "[].map.call(document.querySelectorAll('.heat-grid td:not(.none)'), t => { const i = t.querySelector('i'), s = getComputedStyle(i);"
        " return [getComputedStyle(t).color, getComputedStyle(t).backgroundColor, s.backgroundColor, +s.opacity, t.querySelector('b').textContent]; })"
    )
    need(len(tiles) >= 2 * 2 * 3, f"{len(tiles)} tiles")
    parts = lambda text: json.loads("[" + text.split("(")[1].split(")")[0] + "]")[:3]
    for ink, paper, shade, opacity, text in tiles:
        need(text.strip(), "a tile says nothing")
        mixed = [opacity * a + (1 - opacity) * b for a, b in zip(parts(shade), parts(paper))]
        found = contrast(linear(parts(ink)), linear(mixed))
        need(found >= 4.5, f"{scheme}: {text} has a contrast of {found:.2f} on its tile")


def check_studies(scsim, tab, folder):
    files = build_studies(scsim, folder)
    page = report(scsim, files, folder / "studied.html")
    tab.open(page.as_uri(), WIDTH, 900)
    quiet(tab, "studies opened")
    for scheme in ("light", "dark"):
        tab.scheme(scheme)
        places = boxes(tab)
        for panel in ("sweep", "sweep-2", "capacity"):
            need(panel in places, f"panel `{panel}` is missing")
            x, y, width, height = places[panel]
            need(width > 300 and height > 200, f"panel `{panel}` is {width} by {height}")
            tab.picture(str(folder / f"studied-{panel}-{scheme}.png"), (0, y, WIDTH, min(height, 4000)))
        check_tiles(tab, scheme)
    tab.scheme("light")
    check_twins(tab)
    check_labels(tab)
    rows = "document.querySelectorAll('#%s tbody tr').length"
    need(tab.ask(rows % "sweep-cells") == 6 and tab.ask(rows % "sweep-2-cells") == 4, "a cell has no row")
    need(tab.ask("document.querySelectorAll('#capacity path.limit').length") == 4, "a limit is not drawn")
    # A curve at equal distances is read by its values, not by what they would be as numbers.
    tab.ask("document.querySelector('#sweep-2-p99 > .scroll').focus()")
    tab.press("End")
    hint = tab.ask("document.getElementById('hint').textContent")
    need(hint.startswith("load.rate = 80/s"), f"the last reading is {hint!r}")
    cursor, plot = (tab.ask(f"document.querySelector('#sweep-2-p99 {what}').getBoundingClientRect().x") for what in (".cursor", ".plot"))
    need(cursor > plot + 500, f"the reading stands at {cursor}, the chart begins at {plot}")
    quiet(tab, "studies used")
    check_narrow(tab, page, "studied", folder)
    # Alone, hostile, of another scenario: still a page.
    evil = []
    for file in files[1:]:
        document = json.loads(file.read_text(encoding="utf-8"))
        fixed = {key: document[key] for key in ("schema", "mode", "varied") if key in document}
        evil.append(file.with_suffix(".evil"))
        evil[-1].write_text(json.dumps({**poison(document), **fixed}), encoding="utf-8")
    for some in (evil, [files[0], *evil]):
        tab.open(report(scsim, some, folder / "hostile.html").as_uri(), WIDTH, 900)
        quiet(tab, "hostile studies")
        need(tab.ask("window.evil === undefined && document.images.length === 0"), "a text of a study became markup")
        panels = tab.ask("document.querySelectorAll('section.panel[id$=sweep],section.panel[id$=capacity]').length")
        need(panels == 2, f"{panels} panels of hostile studies")
    for file in (*evil, folder / "hostile.html"):
        file.unlink()


def main():
    scsim, folder = str(pathlib.Path(sys.argv[1]).absolute()), pathlib.Path(sys.argv[2]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    built = [(name, *build(scsim, folder, name, arguments)) for name, arguments in REPORTS]
    with browser.Browser(browser.find()) as tab:
        for name, result, page in built:
            tab.scheme("light")
            tab.open(page.as_uri(), WIDTH, 900)
            quiet(tab, "opened")
            check_panels(tab, name, folder)
            check_twins(tab)
            check_labels(tab)
            check_keyboard(tab)
            check_theme(tab)
            check_readings(tab)
            check_choices(tab)
            check_data(tab, result)
            quiet(tab, "used")
            check_narrow(tab, page, name, folder)
            check_without_script(tab, page)
            check_print(tab, page, name, folder)
            print(f"{name}: every panel is there, readable and quiet")
        check_hostile(scsim, tab, built[0][1], folder)
        print("hostile texts stay texts")
        check_studies(scsim, tab, folder)
        print("studied: sweeps and a capacity are there, readable and quiet")
    print(f"pictures: {folder}")


if __name__ == "__main__":
    if browser.find() is None:
        print("there is no Chromium")
        sys.exit(75)
    try:
        main()
    except Failed as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
