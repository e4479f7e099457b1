-- One row per headline number: what was read, who was found, how they feel, stay and spend.
-- grain: name
-- reads: as_of
with

objects as (

    select
        sum(n_read) as n_read,
        sum(n_used) as n_used,
        sum(n_rejected) as n_rejected
    from object_ledger

),

records as (

    select
        'records read' as name,
        cast(10 as bigint) as place,
        n_read as n
    from objects
    union all
    select
        'records used' as name,
        cast(11 as bigint) as place,
        n_used as n
    from objects
    union all
    select
        'records rejected' as name,
        cast(12 as bigint) as place,
        n_rejected as n
    from objects

),

customers as (

    select
        'customers' as name,
        cast(20 as bigint) as place,
        count(distinct customer_id) as n
    from identity_keys

),

stages as (

    select
        'in stage ' || stage as name,
        min(60 + stage_position) as place,
        count(*) as n
    from journey_stage_history
    where is_current
    group by stage

),

counts as (

    select * from records
    union all
    select * from customers
    union all
    select * from stages

),

years as (

    select
        period_start,
        score,
        ci_low,
        ci_high,
        n,
        row_number() over (order by period_start desc nulls last) as newest
    from experience_scores
    where metric = 'nps' and period_grain = 'year' and dimension = 'all'

),

promoters as (

    select
        'NPS ' || substr(cast(period_start as string), 1, 4) as name,
        cast(30 as bigint) as place,
        n,
        score as reading,
        ci_low as low,
        ci_high as high,
        'score' as unit
    from years
    where newest = 1

),

quarters as (

    select
        period_start,
        churn_gross,
        churn_gross_low,
        churn_gross_high,
        n_start,
        row_number() over (order by period_start desc nulls last) as newest
    from churn_ledger
    where period_grain = 'quarter' and dimension = 'all' and is_complete

),

churn as (

    select
        'churn in the quarter from ' || cast(period_start as string) as name,
        cast(40 as bigint) as place,
        n_start as n,
        churn_gross as reading,
        churn_gross_low as low,
        churn_gross_high as high,
        'share' as unit
    from quarters
    where newest = 1

),

values_today as (

    select
        lifetime.currency,
        count(*) as n,
        cast(sum(lifetime.clv_probabilistic) as double) / cast(count(*) as double) as reading
    from customer_lifetime_value as lifetime
    inner join run on lifetime.as_of = run.as_of
    where lifetime.clv_probabilistic is not null
    group by lifetime.currency

),

lifetime_values as (

    select
        'lifetime value per buyer, ' || currency as name,
        cast(50 as bigint) as place,
        n,
        reading,
        cast(null as double) as low,
        cast(null as double) as high,
        currency as unit
    from values_today

),

readings as (

    select
        name,
        place,
        n,
        cast(null as double) as reading,
        cast(null as double) as low,
        cast(null as double) as high,
        'count' as unit
    from counts
    union all
    select * from promoters
    union all
    select * from churn
    union all
    select * from lifetime_values

)

select * from readings
