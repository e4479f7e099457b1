-- One row per currency and day: what one unit of it is worth in the job's currency. A day without a rate takes the
-- last one before it, at most seven days old. Where nobody quotes the pair, its inverse or the way over a third
-- currency of the same day is taken.
-- grain: currency, rate_date
with

quoted as (

    select
        rate_date,
        from_currency,
        to_currency,
        rate,
        row_number() over (
            partition by rate_date, from_currency, to_currency
            order by source asc nulls last, source_account asc nulls last, fx_rate_id asc nulls last
        ) as place
    from current_fx_rates
    where rate > cast(0 as double) and from_currency <> to_currency

),

direct as (

    select
        rate_date,
        from_currency,
        to_currency,
        rate
    from quoted
    where place = 1

),

both_ways as (

    select
        rate_date,
        from_currency,
        to_currency,
        rate,
        cast(0 as bigint) as detour
    from direct
    union all
    select
        rate_date,
        to_currency as from_currency,
        from_currency as to_currency,
        cast(1 as double) / rate as rate,
        cast(1 as bigint) as detour
    from direct

),

over_a_third as (

    select
        first_leg.rate_date,
        first_leg.from_currency as currency,
        first_leg.rate * second_leg.rate as rate,
        cast(2 as bigint) + first_leg.detour + second_leg.detour as detour,
        first_leg.to_currency as pivot
    from both_ways as first_leg
    inner join both_ways as second_leg
        on
            first_leg.rate_date = second_leg.rate_date
            and first_leg.to_currency = second_leg.from_currency
    cross join run
    where second_leg.to_currency = run.currency and first_leg.from_currency <> run.currency

),

candidates as (

    select
        both_ways.rate_date,
        both_ways.from_currency as currency,
        both_ways.rate,
        both_ways.detour,
        '' as pivot
    from both_ways
    cross join run
    where both_ways.to_currency = run.currency
    union all
    select
        rate_date,
        currency,
        rate,
        detour,
        pivot
    from over_a_third

),

ranked as (

    select
        rate_date,
        currency,
        rate,
        row_number() over (
            partition by currency, rate_date
            order by detour asc nulls last, pivot asc nulls last
        ) as place
    from candidates

),

of_the_day as (

    select
        currency,
        rate_date,
        rate,
        cast(0 as bigint) as days_old
    from ranked
    where place = 1

),

one_day_on as (

    select * from of_the_day
    union all
    select
        currency,
        rate_date + interval '1' day as rate_date,
        rate,
        days_old + 1 as days_old
    from of_the_day

),

three_days_on as (

    select * from one_day_on
    union all
    select
        currency,
        rate_date + interval '2' day as rate_date,
        rate,
        days_old + 2 as days_old
    from one_day_on

),

a_week_on as (

    select * from three_days_on
    union all
    select
        currency,
        rate_date + interval '4' day as rate_date,
        rate,
        days_old + 4 as days_old
    from three_days_on

),

newest as (

    select
        currency,
        cast(rate_date as date) as rate_date,
        rate,
        row_number() over (
            partition by currency, rate_date
            order by days_old asc nulls last
        ) as place
    from a_week_on

)

select
    currency,
    rate_date,
    rate
from newest
where place = 1
