-- Each row is a model whose fit did not converge: its readings are null, or by the parameters of the reference.
-- severity: warn
select
    as_of,
    segment,
    model,
    parameter,
    status
from clv_model_parameters
where status in ('not_converged', 'reference')
