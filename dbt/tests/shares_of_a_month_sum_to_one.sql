-- Months whose regimes do not add up, where any is known.
select
    asset_pair,
    timeframe,
    month,
    sum(share_of_month) as total
from {{ ref('mart_market_regime_stats') }}
group by asset_pair, timeframe, month
having abs(sum(share_of_month) - 1) > 1e-9
