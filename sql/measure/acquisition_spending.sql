-- One row per day and channel: what advertising cost, in the job's currency; money without a rate for its day is left out.
-- grain: cost_date, channel
with

costs as (

    select
        acquisition_costs.cost_date,
        coalesce(acquisition_costs.channel, '(none)') as channel,
        case
            when coalesce(acquisition_costs.currency, run.currency) = run.currency
                then acquisition_costs.cost
            else try_cast(cast(acquisition_costs.cost as double) * fx_daily.rate as decimal(18, 4))
        end as cost
    from current_acquisition_costs as acquisition_costs
    cross join run
    left join fx_daily
        on
            acquisition_costs.currency = fx_daily.currency
            and acquisition_costs.cost_date = fx_daily.rate_date
    where
        coalesce(acquisition_costs.is_cost_of_record, true)
        and acquisition_costs.cost_date is not null
        and acquisition_costs.cost_date <= run.as_of
        and not acquisition_costs.is_test

)

select
    cost_date,
    channel,
    sum(cost) as cost
from costs
where cost is not null
group by cost_date, channel
