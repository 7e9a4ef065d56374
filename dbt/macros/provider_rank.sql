{#- Place of a provider in the order of preference; those not named come last. -#}
{% macro provider_rank(provider) -%}
    case {{ provider }}
        {%- for name in var('provider_preference') %}
        when '{{ name }}' then {{ loop.index }}
        {%- endfor %}
        else {{ var('provider_preference') | length + 1 }}
    end
{%- endmacro %}
