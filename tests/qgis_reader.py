"""Run by the Python that has PyQGIS: opens what a request on stdin names, and tells what it saw."""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def classes_of(renderer):
    if renderer.type() == "graduatedSymbol":
        return [
            [one.lowerValue(), one.upperValue(), one.label(), one.symbol().color().name()]
            for one in renderer.ranges()
        ]
    if renderer.type() == "categorizedSymbol":
        return [[one.value(), one.label(), one.symbol().color().name()] for one in renderer.categories()]
    if renderer.type() == "singleSymbol":
        return [renderer.symbol().color().name()]
    shader = renderer.shader().rasterShaderFunction()
    return [[item.value, item.label, item.color.name()] for item in shader.colorRampItemList()]


def seen(layer):
    renderer = layer.renderer()
    return {
        "title": layer.name(),
        "is_valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "is_placed": layer.crs().isValid(),
        "source": layer.source(),
        "renderer": renderer.type(),
        "classes": classes_of(renderer),
        "features": layer.featureCount() if isinstance(layer, QgsVectorLayer) else None,
    }


def tree(group):
    return [
        [child.name(), child.isVisible(), tree(child)] if hasattr(child, "addGroup") else child.name()
        for child in group.children()
    ]


def draw(project, picture):
    root = project.layerTreeRoot()
    shown = [layer for layer in root.layerOrder() if root.findLayer(layer).isVisible()]
    settings = QgsMapSettings()
    settings.setLayers([layer for layer in shown if layer.name() in picture["layers"]])
    settings.setDestinationCrs(project.crs())
    settings.setExtent(project.viewSettings().defaultViewExtent())
    settings.setOutputSize(QSize(*picture["size"]))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(picture["file"])
    extent = settings.visibleExtent()
    return {
        "errors": [error.message for error in job.errors()],
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
    }


def answer(request, messages):
    answered = {}
    if "project" in request:
        project = QgsProject.instance()
        project.oldProjectVersionWarning.connect(messages.append)
        answered["is_read"] = project.read(request["project"])
        root = project.layerTreeRoot()
        answered["title"], answered["crs"] = project.title(), project.crs().authid()
        answered["layers"] = [seen(layer) for layer in root.layerOrder()]
        answered["tree"] = tree(root)
        answered["pictures"] = [draw(project, picture) for picture in request["pictures"]]
    openers = {"ogr": QgsVectorLayer, "gdal": QgsRasterLayer}
    answered["files"] = [
        seen(openers[provider](source, "alone", provider)) for provider, source in request.get("files", [])
    ]
    return answered


application = QgsApplication([], False)
application.initQgis()
said = []
QgsApplication.messageLog().messageReceived.connect(lambda text, tag, _level: said.append(f"{tag}: {text}"))
found = answer(json.load(sys.stdin), said)
sys.stdout.write(json.dumps({**found, "messages": said}))
