-- Each row is a table of groups whose customers are not those that have a lifetime value on the newest day.
with

valued as (

    select count(*) as n
    from customer_lifetime_value
    inner join run on customer_lifetime_value.as_of = run.as_of

),

cohorts as (

    select coalesce(sum(n_customers), 0) as n
    from clv_by_cohort

),

channels as (

    select coalesce(sum(n_customers), 0) as n
    from customer_acquisition_cost

)

select
    'clv_by_cohort' as table_name,
    cohorts.n as n_of_groups,
    valued.n as n_of_customers
from cohorts
cross join valued
where cohorts.n <> valued.n
union all
select
    'customer_acquisition_cost' as table_name,
    channels.n as n_of_groups,
    valued.n as n_of_customers
from channels
cross join valued
where channels.n <> valued.n
