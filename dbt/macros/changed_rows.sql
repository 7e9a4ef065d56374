{#- Whether two values differ, null being a value. The last digits of a sum depend on the order of
    its rows, which engines do not promise: that is no difference. -#}
{% macro differs(new, old, data_type) -%}
    {%- if data_type == 'double' -%}
    coalesce(
            abs({{ new }} - {{ old }}) > 1e-12 * greatest(abs({{ new }}), abs({{ old }})),
            not {{ new }} <=> {{ old }}
        )
    {%- else -%}
    not {{ new }} <=> {{ old }}
    {%- endif -%}
{%- endmacro %}

{#- The rows of a CTE that the table does not hold yet, or holds with other values.

    Others are left alone, so created_at stays, and updated_at moves only with a value. A refresh
    writes all rows; those that were there before it keep their times, too: a column that the model
    has got since is no other value. -#}
{% macro changed_rows(cte) -%}
    {%- set built_at = "timestamp '" ~ var('built_at') ~ "'" -%}
    {%- set before = version_before() -%}
    {%- if before is not none %}
    select
        new.*,
        coalesce(old.created_at, {{ built_at }}) as created_at,
        case when {{ is_changed() }} then {{ built_at }} else old.updated_at end as updated_at
    from {{ cte }} as new
    left join {{ this }} version as of {{ before }} as old
        on {{ same_row() }}
    {%- elif is_incremental() and not is_appended() %}
    select
        new.*,
        coalesce(old.created_at, {{ built_at }}) as created_at,
        {{ built_at }} as updated_at
    from {{ cte }} as new
    left join {{ this }} as old
        on {{ same_row() }}
    where {{ is_changed() }}
    {%- else %}
    select
        *,
        {{ built_at }} as created_at,
        {{ built_at }} as updated_at
    from {{ cte }}
    {%- endif %}
{%- endmacro %}

{% macro same_row() -%}
    {{ touched('old') }}
        {%- for key in model.config.unique_key %}
        and new.{{ key }} = old.{{ key }}
        {%- endfor %}
{%- endmacro %}

{% macro is_changed() -%}
    {%- set keys = model.config.unique_key -%}
    {%- set left_out = keys + ['created_at', 'updated_at'] + columns_since_before() -%}
    old.{{ keys[0] }} is null
        {%- for name in model.columns if name not in left_out %}
        or {{ differs('new.' ~ name, 'old.' ~ name, model.columns[name].data_type) }}
        {%- endfor %}
{%- endmacro %}
