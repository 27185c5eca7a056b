"""How throughput grows with detectors and decoders, beside what the cores and the stages allow.

    python perf/scaling.py [--pictures 60]

The bound of each shape is min(cores / CPU a picture, detectors / examination time, decoders / decode time), with the
times of bare loops that ran beside each other in the same run.
"""

from __future__ import annotations

import argparse

import pipeline
import rig


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=60)
    options = parser.parse_args()
    cores = int(str(rig.machine()["cores"]))
    pictures = rig.pictures(options.pictures)
    rows, shapes = [], []
    for detectors in sorted({1, *(2**power for power in range(1, 8) if 2**power <= cores)}):
        bare = pipeline.run_bare(pictures, "openvino", detectors)
        stage = {name: sum(getattr(loop, f"{name}_s") for loop in bare) / len(bare) for name in ("decode", "detect")}
        costs, wall_s = pipeline.run_service(pictures, "openvino", detectors)
        cpu_s = sum(costs.values()) / len(pictures)
        decoders = max(1, detectors // 2)
        bound = min(cores / cpu_s, detectors / stage["detect"], decoders / stage["decode"])
        rate = len(pictures) / wall_s
        rows.append([detectors, decoders, rate, bound, rate / bound])
        shapes.append({"detectors": detectors, "rate": round(rate, 2), "bound": round(bound, 2)})
    rig.report(
        "scaling",
        ["detectors", "decoders", "pictures/s", "bound", "ratio"],
        rows,
        {**rig.machine(), "shapes": shapes},
    )
    rig.PLOTS.mkdir(exist_ok=True)
    (rig.PLOTS / "scaling.svg").write_text(_plot(shapes), encoding="utf-8")


def _plot(shapes: list[dict[str, float]]) -> str:
    """Draw measured rates (bars) and bounds (lines) as SVG."""
    top = max(max(shape["rate"], shape["bound"]) for shape in shapes) * 1.15
    width = 90 * len(shapes) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 260" font-family="sans-serif" font-size="12">',
        '<text x="10" y="18">pictures a second; the line is the bound</text>',
    ]
    for number, shape in enumerate(shapes):
        x = 40 + 90 * number
        height, bound = (190 * shape[key] / top for key in ("rate", "bound"))
        parts += [
            f'<rect x="{x}" y="{225 - height:.1f}" width="50" height="{height:.1f}" fill="#4878a8"/>',
            f'<line x1="{x - 8}" x2="{x + 58}" y1="{225 - bound:.1f}" y2="{225 - bound:.1f}" '
            'stroke="#c44" stroke-width="2"/>',
            f'<text x="{x + 25}" y="{219 - height:.1f}" text-anchor="middle">{shape["rate"]:.1f}</text>',
            f'<text x="{x + 25}" y="245" text-anchor="middle">{shape["detectors"]:.0f}</text>',
        ]
    return "\n".join([*parts, f'<text x="{width - 20}" y="258" text-anchor="end">detectors</text>', "</svg>", ""])


if __name__ == "__main__":
    main()
