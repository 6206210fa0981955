"""`python -m hbase_ferry`: the same command line."""

import sys

from hbase_ferry.cli.main import main

sys.exit(main())
