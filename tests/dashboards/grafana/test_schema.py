"""The dashboards have Grafana's own types, of three lines of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dashboards.grafana.build import build
from dashboards.grafana.edition import Edition

ROOT = Path(__file__).parents[3]
LINES = {
    "grafana-schema-oldest": "esm",
    "grafana-schema-stack": "types",
    "grafana-schema-newest": "types",
}
"""Packages of Grafana's types, one a line, with the folder of their declarations."""

PANELS = {
    "stat": "Stat",
    "table": "Table",
    "timeseries": "TimeSeries",
    "state-timeline": "StateTimeline",
    "bargauge": "BarGauge",
    "geomap": "Geomap",
}
WITH_CUSTOM_FIELDS = {"table", "timeseries", "state-timeline"}

HEAD = """
// As JSON has it: the value of an enumeration, not its name.
type Plain<T> = T extends string ? `${T}` : T extends (infer U)[] ? Plain<U>[]
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Part<T> = T extends (infer U)[] ? Part<U>[]
  : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;
"""


def script(package: str) -> str:
    """Every dashboard, panel, option and field of both languages, as constants with their types."""
    composable = ROOT / "node_modules" / package / "dist" / "esm" / "raw" / "composable"
    imports = ['import type { Dashboard, Panel, RowPanel } from "@grafana/schema";']
    for kind, name in PANELS.items():
        file = composable / kind.replace("-", "") / "panelcfg/x" / f"{name}PanelCfg_types.gen"
        imports.append(f'import type * as {name} from "{file}";')
    text = []

    def constant(kind: str, value: object) -> None:
        text.append(f"const c{len(text)}: {kind} = {json.dumps(value, indent=1)};")

    for language in ("en", "zh"):
        for data in build(Edition(language)).values():
            dashboard = json.loads(data)
            for panel in dashboard.pop("panels"):
                if panel["type"] == "row":
                    constant("Part<Plain<RowPanel>>", panel)
                    continue
                name = PANELS[panel["type"]]
                constant(f"Part<Plain<{name}.Options>>", panel["options"])
                if panel["type"] in WITH_CUSTOM_FIELDS:
                    custom = panel["fieldConfig"]["defaults"].get("custom", {})
                    constant(f"Part<Plain<{name}.FieldConfig>>", custom)
                constant("Part<Plain<Panel>>", panel)
            for annotation in dashboard["annotations"]["list"]:
                annotation.pop("target")  # a query of the data source, which has types of its own
            constant("Part<Plain<Dashboard>>", dashboard)
    return "\n".join([*imports, HEAD, *text])


def faults(package: str, text: str, folder: Path) -> str:
    """What the compiler says of a script."""
    types = ROOT / "node_modules" / package / "dist" / LINES[package] / "index.d.ts"
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "target": "es2023",
        "module": "esnext",
        "moduleResolution": "bundler",
        "types": [],
        "paths": {"@grafana/schema": [str(types)]},
    }
    (folder / "dashboards.ts").write_text(text)
    (folder / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": options, "files": ["dashboards.ts"]})
    )
    compiler = ROOT / "node_modules" / ".bin" / "tsc"
    found = subprocess.run([compiler, "-p", folder], capture_output=True, text=True, check=False)
    return found.stdout + found.stderr


@pytest.mark.parametrize("package", LINES)
def test_every_panel_has_the_types_of_grafana(package: str, tmp_path: Path) -> None:
    """Of 11.6, which still reads them, of the line that the stack brings, and of the newest."""
    assert faults(package, script(package), tmp_path) == ""


def test_a_wrong_option_is_found(tmp_path: Path) -> None:
    """The check sees names and values that Grafana does not know."""
    package = "grafana-schema-stack"
    text = script(package)
    for right, wrong in (
        ("graphMode", "graphMod"),
        ('"colorMode": "value"', '"colorMode": "valu"'),
    ):
        assert wrong.rpartition(" ")[2] in faults(package, text.replace(right, wrong, 1), tmp_path)


def test_the_stack_brings_the_line_that_was_checked() -> None:
    """The image and the types are of one version."""
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    version = wanted["grafana-schema-stack"].rpartition("@")[2]
    assert f"image: grafana/grafana:{version}" in (ROOT / "docker-compose.yml").read_text()
