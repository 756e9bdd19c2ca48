"""Small files in the true formats of a platform team's tools."""

import json

SACCT = """\
JobID|JobName|Partition|Submit|Start|End|State|NNodes|ReqTRES|AllocTRES
4101|pretrain-a|gpu|2026-01-04T20:11:08|2026-01-04T23:40:00|2026-01-05T03:40:00|COMPLETED|2|\
billing=192,cpu=192,gres/gpu:h100=16,gres/gpu=16,mem=2T,node=2|\
billing=192,cpu=192,gres/gpu:h100=16,gres/gpu=16,mem=2T,node=2
4101.batch|batch||2026-01-04T23:40:00|2026-01-04T23:40:00|2026-01-05T03:40:00|COMPLETED|1||\
cpu=96,gres/gpu:h100=8,gres/gpu=8,mem=1T,node=1
4102|eval|gpu|2026-01-05T00:30:00|2026-01-05T00:31:10|2026-01-05T01:02:10|FAILED|1|cpu=8,gres/gpu=4,mem=64G,node=1|\
billing=8,cpu=8,gres/gpu:h100=4,gres/gpu=4,mem=64G,node=1
4103|prep|cpu|2026-01-05T00:40:00|2026-01-05T00:41:00|2026-01-05T01:41:00|COMPLETED|1|cpu=64,mem=64G,node=1|\
billing=64,cpu=64,mem=64G,node=1
4104_1|sweep|gpu|2026-01-05T01:00:00|2026-01-05T01:05:00|2026-01-05T02:35:00|CANCELLED by 1001|1|\
cpu=8,gres/gpu=1,node=1|billing=8,cpu=8,gres/gpu:h100=1,gres/gpu=1,node=1
4104_[2-6%2]|sweep|gpu|2026-01-05T01:00:00|Unknown|Unknown|PENDING|1|cpu=8,gres/gpu=1,node=1|
4105|finetune|gpu|2026-01-05T01:20:00|2026-01-05T02:40:00|Unknown|RUNNING|1|cpu=96,gres/gpu=8,node=1|\
billing=96,cpu=96,gres/gpu:h100=8,gres/gpu=8,node=1
4106|late|gpu|2026-01-05T01:30:00|None|2026-01-05T01:31:00|CANCELLED by 1001|1|cpu=8,gres/gpu=1,node=1|
"""

MOONCAKE = """\
{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 48, 2353, 2354]}
{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 47, 48, 2366]}
{"timestamp": 33000, "input_length": 1200, "output_length": 300, "hash_ids": [0, 1]}
{"timestamp": 36000, "input_length": 2200, "output_length": 120, "hash_ids": [0, 2]}
{"timestamp": 36000, "input_length": 900, "output_length": 90, "hash_ids": [0, 3]}
"""

GATEWAY = """\
timestamp,model,prompt_tokens,completion_tokens,latency_ms,status
2026-01-05T00:00:00Z,chat,900,120,2400,200
2026-01-05T00:00:02Z,chat,1100,80,1600,200
2026-01-05T00:00:03Z,code,400,300,6000,200
2026-01-05T00:00:05Z,chat,1000,0,30000,503
2026-01-05T00:00:08Z,chat,1000,100,9000,200
2026-01-05T00:00:11Z,code,380,310,6200,200
2026-01-05T00:00:12Z,chat,1000,100,2000,200
"""


def prometheus(step_s: int = 60, minutes: int = 120) -> str:
    """``query_range`` of ``sum by (service, pod) (rate(http_requests_total[1m]))``: two pods of chat, one of feed."""
    begin = 1767571200.781
    rates = {("chat", "chat-0"): 3.0, ("chat", "chat-1"): 5.0, ("feed", "feed-0"): 900.0}
    result = []
    for (service, pod), rate in rates.items():
        count = minutes * 60 // step_s
        values = [[begin + step_s * at, "NaN" if at == 7 else str(rate + at % 3)] for at in range(count)]
        # The second pod of chat comes later.
        values = values[count // 2 :] if pod == "chat-1" else values
        result.append({"metric": {"service": service, "pod": pod}, "values": values})
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def grafana(rows: int = 60) -> str:
    """A panel's CSV: scrapes are off by a second now and then, one value is missing."""
    lines = ['"Time","chat","feed"']
    for at in range(rows):
        seconds = 300 * at + (at % 3 - 1 if at else 0)
        moment = f"2026-01-05 {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        lines.append(f"{moment},{'' if at == 9 else 12 + at % 5},{1500 + 10 * at}")
    return "\n".join(lines) + "\n"


def workload(name: str, gpus: int, created: str, admitted: str | None, finished: str | None, **spec) -> dict:
    """One Kueue workload, as ``kubectl get workloads -o json`` lists it."""
    conditions = []
    if admitted:
        conditions.append({"type": "QuotaReserved", "status": "True", "lastTransitionTime": admitted})
        conditions.append({"type": "Admitted", "status": "True", "lastTransitionTime": admitted})
    if finished:
        conditions.append(
            {"type": "Finished", "status": "True", "lastTransitionTime": finished, "reason": "JobFinished"}
        )
    container = {"name": "main", "resources": {"requests": {"cpu": "8", "nvidia.com/gpu": str(gpus)}}}
    pods = {"name": "main", "count": 1, "template": {"spec": {"containers": [container]}}, **spec}
    admission = {"podSetAssignments": [{"name": "main", "count": pods["count"], "flavors": {"nvidia.com/gpu": "h100"}}]}
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta1",
        "kind": "Workload",
        "metadata": {"name": name, "namespace": "research", "creationTimestamp": created},
        "spec": {"podSets": [pods], "queueName": "gpus"},
        "status": {"conditions": conditions, **({"admission": admission} if admitted else {})},
    }


def kueue() -> str:
    """Three workloads: one of 2 pods that may run on 1, one done, one that waits."""
    items = [
        workload(
            "job-a", 8, "2026-01-05T00:00:00Z", "2026-01-05T00:10:00Z", "2026-01-05T02:00:00Z", count=2, minCount=1
        ),
        workload("job-b", 4, "2026-01-05T00:20:00Z", "2026-01-05T02:00:05Z", "2026-01-05T03:00:05Z"),
        workload("job-c", 8, "2026-01-05T00:30:00Z", None, None),
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
