-- Each row is a model whose tenths are not the customers that it was tested on, or a day whose published models are not one.
with

tested as (

    select
        as_of,
        n,
        churned
    from churn_risk_model
    where measure = 'holdout' and bucket = 'all'

),

tenths as (

    select
        as_of,
        model,
        sum(n) as n,
        sum(churned) as churned
    from churn_risk_model
    where measure = 'calibration'
    group by as_of, model

),

published as (

    select
        as_of,
        max(status) as status,
        count(*) filter (where measure = 'brier' and is_published) as n_published
    from churn_risk_model
    group by as_of

)

select
    tenths.as_of,
    tenths.model,
    tenths.n,
    tested.n as n_tested
from tenths
inner join tested on tenths.as_of = tested.as_of
where tenths.n <> tested.n or tenths.churned <> tested.churned
union all
select
    as_of,
    'published' as model,
    n_published as n,
    cast(1 as bigint) as n_tested
from published
where status = 'trained' and n_published <> 1
