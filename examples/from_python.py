"""From scenes to lines in Python: simulate, look, draw, measure.

`python examples/from_python.py` takes a quarter of a minute and writes to the folder `from_python`.
"""

from pathlib import Path

import glsweep
from glsweep.config.data_card import Simulation
from glsweep.simulation import simulate_data

folder = Path("from_python")

# Two interferograms with their true lines, laid out as a data set: rasters, and one file of lines.
settings = Simulation(scenes=2, rows=384, cols=384, noise=0.3, tides="resolved")
simulate_data(settings, folder / "scenes", seed=7)

# What is there, and what would a study of it stumble over? The findings say what is wrong, and the remedy.
findings = glsweep.check(folder / "scenes")
for fault in findings.faults:
    print("to mend:", fault)

# Draw the line of one scene with the network that comes with glsweep.
scene = min((folder / "scenes").rglob("*.tif"))
drawn = glsweep.predict(scene, tau=0.9, out=folder / "lines")
rows, cols = drawn.probability.shape
print(f"{drawn.scene}: {rows} x {cols} pixels, {drawn.lines['length_m'].sum() / 1000:.1f} km of line")
print(drawn.lines[["length_m", "mean_prob", "band_m"]].head())

# How far is what was drawn from the true lines, scene by scene and in all?
scores = glsweep.score(folder / "scenes", tau=0.9)
print(scores[["name", "lines_km", "reference_km", "mean_m", "completeness_200"]])

# Any two files of lines can be compared, scene by scene where a column names the scenes.
truth = folder / "scenes" / "all_manual_segm_gl.gpkg"
drawn_file = folder / "lines" / f"{drawn.scene}-lines.gpkg"
table = glsweep.compare(drawn_file, truth, by="scene", reference_by="source_file")
print(table.set_index("name").loc[drawn.scene])
