"""Two real HBase clusters, or one and a Bigtable emulator, on this machine, for rehearsals and for tests.

By hand:        make lab | make lab-bigtable | make lab-down       (python -m lab up|down|status|env [--bigtable])
In a test:      use the fixture `lab` (marker `lab`), a `Lab` of this session, or `standalone(version)`
Attach:         lab = Lab.attach()             the lab of `make lab`; HBASE_FERRY_LAB_ATTACH=1 makes the fixture do so

    lab.source, lab.target   Cluster: .hbase .bin_dir .conf_dir .rootdir .cluster_key .thrift .ssh .env .work_dir .pid
                             .freeze() .thaw() .kill() .restart()
    lab.workload("orders")   Workload: .create() .load(rows) .start(rate) .stop() .check(lab.target, ("d",))

With Bigtable: fixture `bigtable_lab`, a `lab.bigtable.BigtableLab`; BigtableLab.attach(); its tables have no namespace.

    lab.source, lab.emulator            Cluster; Emulator: .address .instance .freeze() .thaw() .kill() .restart()
    lab.configure(keys="none")          what servers run with after their next start: keys, library, settings
    lab.replication_bean("server2")     the library's counters; .page(server): URL of /conf and /jmx; .log(server)
    lab.workload("orders")              as above, with several versions and deletes of single ones; .incompatible()
    lab.bigtable.compare_cells(lab, t)  every cell of both sides

Everything listens on 127.0.0.1 only and lies in `.lab` (see `places`). Needs Java 17 and Maven.
"""

from lab.bigtable import BigtableLab
from lab.cluster import Cluster
from lab.crossing import Lab
from lab.places import LabError, Unavailable
from lab.standalone import Standalone, standalone
from lab.workload import Bad, Checked, Workload

__all__ = [
    "Bad",
    "BigtableLab",
    "Checked",
    "Cluster",
    "Lab",
    "LabError",
    "Standalone",
    "Unavailable",
    "Workload",
    "standalone",
]
