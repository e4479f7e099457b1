-- Each row is a conversation whose own value differs from its tool's without a cause, or whose clocks contradict each other.
select
    conversation_id,
    first_response_seconds,
    vendor_first_response,
    vendor_first_response_cause,
    first_resolution_seconds,
    full_resolution_seconds
from conversation_service
where
    (vendor_first_response is not null and vendor_first_response_cause is null)
    or (vendor_resolution is not null and vendor_resolution_cause is null)
    or (vendor_replies is not null and vendor_replies_cause is null)
    or (vendor_reopens is not null and vendor_reopens_cause is null)
    or first_resolution_seconds > full_resolution_seconds
    or (is_resolved and full_resolution_seconds is null)
    or first_response_business_seconds > first_response_seconds
    or first_response_business_all_seconds > first_response_seconds
    or (is_contained and n_replies > 0)
    or (n_reopens > 0 and is_one_touch)
