-- Models of a level that do not give all the worth of its purchases away, each row rounded.
with

purchases as (

    select
        level,
        sum(value) as value
    from journey_paths
    group by level

),

given as (

    select
        level,
        model,
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
    given.value,
    purchases.value as expected_value
from given
inner join purchases on given.level = purchases.level
where abs(given.value - purchases.value) * 10000 > given.n_rows
