-- Each row is a customer whose fifths are none, or whose segment has no fifths.
select
    customer_id,
    as_of,
    rfm_score,
    rfm_segment,
    persona_distance
from customer_segments
where
    rfm_recency not between 1 and 5
    or rfm_frequency not between 1 and 5
    or rfm_monetary not between 1 and 5
    or (rfm_recency is null and recency_days is not null)
    or (rfm_segment is null and rfm_recency is not null)
    or rfm_score
    <> cast(rfm_recency as string) || cast(rfm_frequency as string) || cast(rfm_monetary as string)
    or persona_distance < cast(0 as double)
    or (persona is null and persona_name is not null)
