{#- One time comes before the other. -#}
{% test in_order(model, earlier, later) %}
    select {{ earlier }}, {{ later }}
    from {{ model }}
    where not {{ earlier }} < {{ later }}
{% endtest %}
