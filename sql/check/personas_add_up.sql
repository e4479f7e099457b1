-- Each row is a persona whose customers are not those of customer_segments, or that is not profiled.
with

customers_of as (

    select
        as_of,
        persona,
        count(*) as n
    from customer_segments
    where persona is not null
    group by as_of, persona

),

profiled as (

    select
        as_of,
        persona,
        count(*) as n_features
    from persona_profiles
    group by as_of, persona

)

select
    coalesce(personas.as_of, customers_of.as_of) as as_of,
    coalesce(personas.persona, customers_of.persona) as persona,
    personas.n,
    customers_of.n as n_of_customers,
    profiled.n_features
from personas
full join customers_of
    on personas.as_of = customers_of.as_of and personas.persona = customers_of.persona
left join profiled
    on personas.as_of = profiled.as_of and personas.persona = profiled.persona
where
    coalesce(personas.n, -1) <> coalesce(customers_of.n, 0)
    or profiled.n_features is null
