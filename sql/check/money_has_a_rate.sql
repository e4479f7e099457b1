-- Each row is a currency with amounts that no rate of their day turns into the job's currency: they count as orders of other currencies, and in no sum.
-- severity: warn
select
    currency,
    min(occurred_date) as first_date,
    max(occurred_date) as last_date,
    count(*) as n_amounts
from timeline
where amount is not null and home_amount is null
group by currency
