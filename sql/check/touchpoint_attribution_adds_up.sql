-- Models of a level that do not give every purchase to somebody, or that give value that is not there.
with

purchases as (

    select
        level,
        sum(n_converted) as n_converted,
        sum(value) as value
    from journey_paths
    group by level

),

given as (

    select
        level,
        model,
        sum(cast(round(conversions * 10000.0) as bigint)) as conversions,
        sum(value) as value,
        count(*) as n_rows
    from touchpoint_attribution
    group by
        level,
        model

)

select
    given.level,
    given.model,
    given.conversions,
    purchases.n_converted
from given
inner join purchases on given.level = purchases.level
where
    abs(given.conversions - purchases.n_converted * 10000) > given.n_rows
    or abs(given.value - purchases.value) > cast(given.n_rows as decimal(18, 4)) / 1000
