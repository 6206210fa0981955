"""Two real HBase clusters on this machine, for rehearsals and for tests.

By hand:        make lab | make lab-down       (python -m lab up|down|status|env)
In a test:      use the fixture `lab` (marker `lab`), a `Lab` of this session, or `standalone(version)`
Attach:         lab = Lab.attach()             the lab of `make lab`; HBASE_FERRY_LAB_ATTACH=1 makes the fixture do so

    lab.source, lab.target   Cluster: .hbase .bin_dir .conf_dir .rootdir .cluster_key .thrift .ssh .env .work_dir .pid
                             .freeze() .thaw() .kill() .restart()
    lab.workload("orders")   Workload: .create() .load(rows) .start(rate) .stop() .check(lab.target, ("d",))

Everything listens on 127.0.0.1 only and lies in `.lab` (see `places`). Needs Java 17 and Maven.
"""

from lab.cluster import Cluster
from lab.crossing import Lab
from lab.places import LabError, Unavailable
from lab.standalone import Standalone, standalone
from lab.workload import Bad, Checked, Workload

__all__ = ["Bad", "Checked", "Cluster", "Lab", "LabError", "Standalone", "Unavailable", "Workload", "standalone"]
