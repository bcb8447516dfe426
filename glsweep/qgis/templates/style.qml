<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="{{ version }}" styleCategories="Symbology{{ "|MapTips" if map_tip }}">
{{ symbology }}
{% if map_tip %}
<mapTip>{{ map_tip }}</mapTip>
{% endif %}
<blendMode>0</blendMode>
</qgis>
