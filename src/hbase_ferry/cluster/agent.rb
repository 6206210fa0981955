# The agent: one Ruby file inside the cluster's own JVM, one JSON-RPC 2.0 message a line on stdin and stdout.
#
#   hbase org.jruby.Main agent.rb NONCE [--work DIR] [--job-script FILE] [--idle SECONDS]
#
# It answers exactly the method table of cluster/wire.py and keeps no state. Ruby 1.8 syntax (HBase 1.4 ships
# JRuby 1.6.8); one file for HBase 1.4 to 3.0, by method presence. Started by hbase_ferry.cluster.connection.
# Keeps: every line it writes is `@@NONCE {json}`, and nothing but these lines reaches file descriptor 1; reads
# never wait behind changes; a change that waited longer than its caller does (`ttl`, seconds) is not begun.
require 'java'
require 'thread'
require 'strscan'
require 'digest/sha2'
require 'digest/md5'

OUT = java.io.BufferedOutputStream.new(java.io.FileOutputStream.new(java.io.FileDescriptor.out), 65536)
java.lang.System.setOut(java.lang.System.err)
$stdout = STDERR
INPUT = java.io.BufferedReader.new(java.io.InputStreamReader.new(java.lang.System.in, 'UTF-8'))

NONCE = ARGV[0].to_s
OPTIONS = {}
ARGV[1..-1].to_a.each_slice(2) { |k, v| OPTIONS[k.sub(/\A--/, '')] = v }
IDLE = (OPTIONS['idle'] || '900').to_f

# JSON without a library: JRuby 1.6.8 in 1.8 mode ships none.
module Json
  # Text that is JSON already.
  class Raw < String
  end

  ESCAPES = { '"' => '\\"', '\\' => '\\\\', "\n" => '\\n', "\t" => '\\t', "\r" => '\\r' }
  SPECIAL = /["\\\x00-\x1f]/
  LETTERS = { 'n' => "\n", 't' => "\t", 'r' => "\r", 'b' => "\b", 'f' => "\f" }

  def self.text(s)
    s = s.to_s
    s = s.gsub(SPECIAL) { |c| ESCAPES[c] || sprintf('\\u%04x', c.unpack('C')[0]) } if s =~ SPECIAL
    '"' + s + '"'
  end

  def self.dump(o)
    case o
    when Raw then o
    when String then text(o)
    when nil then 'null'
    when true then 'true'
    when false then 'false'
    when Integer then o.to_s
    when Float then (o.nan? || o.infinite?) ? 'null' : o.to_s
    when Hash then '{' + o.map { |k, v| text(k) + ':' + dump(v) }.join(',') + '}'
    when Array then '[' + o.map { |v| dump(v) }.join(',') + ']'
    else text(o)
    end
  end

  def self.load(s)
    ss = StringScanner.new(s)
    v = value(ss)
    ss.skip(/\s+/)
    raise ArgumentError, 'json: trailing data' unless ss.eos?
    v
  end

  def self.value(ss)
    ss.skip(/\s+/)
    if ss.skip(/\{/) then object(ss)
    elsif ss.skip(/\[/) then array(ss)
    elsif ss.check(/"/) then string(ss)
    elsif t = ss.scan(/-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/) then t =~ /[.eE]/ ? t.to_f : t.to_i
    elsif ss.skip(/true/) then true
    elsif ss.skip(/false/) then false
    elsif ss.skip(/null/) then nil
    else raise ArgumentError, 'json: value expected'
    end
  end

  def self.object(ss)
    h = {}
    ss.skip(/\s+/)
    return h if ss.skip(/\}/)
    loop do
      ss.skip(/\s+/)
      k = string(ss)
      ss.skip(/\s*:/) or raise ArgumentError, 'json: colon expected'
      h[k] = value(ss)
      ss.skip(/\s+/)
      next if ss.skip(/,/)
      return h if ss.skip(/\}/)
      raise ArgumentError, 'json: object not closed'
    end
  end

  def self.array(ss)
    a = []
    ss.skip(/\s+/)
    return a if ss.skip(/\]/)
    loop do
      a << value(ss)
      ss.skip(/\s+/)
      next if ss.skip(/,/)
      return a if ss.skip(/\]/)
      raise ArgumentError, 'json: array not closed'
    end
  end

  def self.string(ss)
    ss.skip(/"/) or raise ArgumentError, 'json: string expected'
    out = ''.dup
    loop do
      if t = ss.scan(/[^"\\]+/) then out << t
      elsif ss.skip(/"/) then return out
      elsif ss.scan(/\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/)
        out << [0x10000 + ((ss[1].hex - 0xd800) << 10) + (ss[2].hex - 0xdc00)].pack('U')
      elsif ss.scan(/\\u([0-9a-fA-F]{4})/) then out << [ss[1].hex].pack('U')
      elsif ss.scan(/\\(.)/) then out << (LETTERS[ss[1]] || ss[1])
      else raise ArgumentError, 'json: string not closed'
      end
    end
  end
end

# An error of ours: `kind` stands where HBase's errors have their Java class.
class Fault < StandardError
  attr_reader :kind
  def initialize(kind, message)
    super(message)
    @kind = kind
  end
end

def bad!(message)
  raise Fault.new('hbase_ferry.BadRequest', message)
end

WRITING = Mutex.new
def write_line(message)
  bytes = ('@@' + NONCE + ' ' + Json.dump(message) + "\n").to_java_bytes
  WRITING.synchronize { OUT.write(bytes, 0, bytes.length); OUT.flush }
rescue Exception
  leave(1)   # nobody reads any more
end

# Ends the JVM; a shutdown hook that waits for a dead cluster does not keep it alive.
def leave(code)
  Thread.new { sleep 5; java.lang.Runtime.getRuntime.halt(code) }
  java.lang.System.exit(code)
end

# ------------------------------------------------------------------------------------------------ HBase's client
HB = 'org.apache.hadoop.hbase.'
def jc(name)
  JavaUtilities.get_proxy_class(name)
end

def jc?(name)
  jc(name)
rescue Exception
  nil
end

begin
  quiet = ['org.apache.hadoop', 'org.apache.zookeeper', 'org.apache.hadoop.hbase']
  if c = jc?(HB + 'logging.Log4jUtils')                  # 2.5 and later
    quiet.each { |n| c.setAllLevels(n, 'ERROR') }
  elsif c = jc?('org.apache.log4j.Logger')
    quiet.each { |n| c.getLogger(n).setLevel(jc('org.apache.log4j.Level')::ERROR) }
  end
rescue Exception
  nil
end

CLIENT_VERSION = jc(HB + 'util.VersionInfo').getVersion
ONE = (CLIENT_VERSION =~ /\A[01]\./) ? true : false
SITE = jc(HB + 'HBaseConfiguration').create
CONF = jc(HB + 'HBaseConfiguration').create
# With HBase's defaults one call against a cluster whose servers are gone takes minutes.
{ 'hbase.client.retries.number' => 4, 'hbase.client.pause' => 200, 'hbase.rpc.timeout' => 10_000,
  'hbase.client.operation.timeout' => 30_000, 'hbase.client.meta.operation.timeout' => 30_000,
  'hbase.client.scanner.timeout.period' => 30_000, 'hbase.ipc.client.connect.max.retries' => 1,
  'hbase.client.sync.wait.timeout.msec' => 880_000, 'zookeeper.recovery.retry' => 1,
  'ipc.client.connect.max.retries' => 2, 'ipc.client.connect.max.retries.on.timeouts' => 1,
  'ipc.client.connect.timeout' => 5000, 'ipc.client.rpc-timeout.ms' => 55_000 }.each { |k, v| CONF.setInt(k, v) }

TN = jc(HB + 'TableName')
BYTES = jc(HB + 'util.Bytes')
PATH = jc('org.apache.hadoop.fs.Path')
PEER_CONFIG = jc(HB + 'replication.ReplicationPeerConfig')
TABLE_BUILDER = jc?(HB + 'client.TableDescriptorBuilder')
FAMILY_BUILDER = jc?(HB + 'client.ColumnFamilyDescriptorBuilder')
OWN_ENDPOINT = HB + 'replication.regionserver.HBaseInterClusterReplicationEndpoint'
CONNECTING = Mutex.new

def connection
  CONNECTING.synchronize { $connection ||= jc(HB + 'client.ConnectionFactory').createConnection(CONF) }
end

# One Admin a thread: HBase does not promise that an Admin is thread-safe.
def admin
  Thread.current[:admin] ||= connection.getAdmin
end

# 1.x changes peers from the client, through ZooKeeper.
def peer_admin
  CONNECTING.synchronize { $peer_admin ||= jc(HB + 'client.replication.ReplicationAdmin').new(CONF) }
end

def bytes(s)
  BYTES.toBytes(s.to_java(:string))
end

def tn(s)
  TN.valueOf(s)
end

# The first of these methods that `o` has, called; nil where it has none.
def ask(o, *names)
  name = names.find { |n| o.respond_to?(n) }
  name ? o.send(name) : nil
end

def list(collection)
  collection.nil? ? [] : collection.map { |x| x }
end

# The block on each element in at most `most` threads, results in order; the first error is raised. JRuby's arrays are
# not safe for threads: `results` has its size from the start, since one that grows loses what another stores meanwhile.
def side_by_side(elements, most = 16)
  todo = Queue.new
  elements.each_with_index { |e, i| todo << [e, i] }
  results = Array.new(elements.size)
  errors = Queue.new
  threads = (1..[most, elements.size].min).map do
    Thread.new do
      loop do
        e, i = begin
          todo.pop(true)
        rescue ThreadError
          break
        end
        begin
          results[i] = yield(e)
        rescue Exception => x
          errors << x
        end
      end
    end
  end
  threads.each { |t| t.join }
  raise errors.pop unless errors.empty?
  results
end

# The Java exception behind a Ruby one: old JRubies wrap it in NativeException, futures in ExecutionException, and
# the 1.x client a refused put in a list of causes.
def bare(e)
  e = e.cause if e.class.name == 'NativeException' && e.cause
  while java_name(e) =~ /\Ajava\.(util\.concurrent\.(Execution|Completion)|lang\.reflect\.\w+|lang\.UndeclaredThrowable)Exception\z/ && e.cause
    e = e.cause
  end
  e.respond_to?(:getNumExceptions) && e.getNumExceptions > 0 ? e.getCause(0) : e
end

def java_name(e)
  e.respond_to?(:java_class) ? e.java_class.to_s : e.class.name
end

# Class and first line of an error. HBase hands some server errors over as text: `full.Class: message`.
def describe(error)
  return [error.kind, error.message] if error.is_a?(Fault)
  e = bare(error)
  kind = java_name(e)
  kind = e.getClassName if kind =~ /RemoteException\z|RemoteWithExtrasException\z/ && e.respond_to?(:getClassName) && e.getClassName
  text = (e.respond_to?(:getMessage) ? e.getMessage : e.message).to_s
  lines = text.split("\n").map { |l| l.strip }.reject { |l| l.empty? }
  first = lines[0].to_s
  first = first + ' ' + lines[1] if first =~ /:\z/ && lines[1]
  while first =~ /\A((?:[a-z]\w*\.){2,}[A-Z][\w$]*(?:Exception|Error)): (.*)\z/ && (kind == $1 || kind =~ /\.(IO|DoNotRetryIO|Remote|ServiceException)Exception\z/)
    kind, first = $1, $2
  end
  [kind, first[0, 2000]]
end

def kind_of(error)
  describe(error)[0]
end

# ------------------------------------------------------------------------------------------------ requests
METHODS = {}
# lane: :read, :slow (HDFS, sockets, processes), :scan (pages of rows) or :change. Lanes have their own threads.
def on(name, lane, &body)
  METHODS[name] = [lane, body]
end

def text!(q, key)
  v = q[key]
  bad!("#{key} must be a string that is not empty") unless v.is_a?(String) && !v.empty?
  v
end

def strings!(q, key)
  v = q[key]
  bad!("#{key} must be a list of strings") unless v.is_a?(Array) && v.all? { |x| x.is_a?(String) }
  v
end

def listing(items, max)
  limit = max.is_a?(Integer) ? max : 1000
  { 'items' => items.first(limit), 'total' => items.size }
end

def effected(changed, note = '')
  { 'changed' => changed, 'note' => note }
end

# ------------------------------------------------------------------------------------------------ reads
OPTIONS_OF_METRICS = (c = jc?(HB + 'ClusterMetrics$Option')) ? c.values.map { |v| [v.to_s, v] } : []

def option?(name)
  OPTIONS_OF_METRICS.any? { |n, v| n == name }
end

# Only the named parts of the cluster's metrics: the load of every region is not among them unless asked for.
def metrics(*names)
  options = java.util.ArrayList.new
  OPTIONS_OF_METRICS.each { |n, v| options.add(v) if names.include?(n) }
  admin.getClusterMetrics(java.util.EnumSet.copyOf(options))
end

def cluster_id
  admin.respond_to?(:getClusterMetrics) ? metrics('CLUSTER_ID').getClusterId : admin.getClusterStatus.getClusterId
end

# [[server, load], ...] of the live region servers.
def loads
  if admin.respond_to?(:getClusterMetrics)
    return metrics('LIVE_SERVERS').getLiveServerMetrics.entrySet.map { |e| [e.getKey, e.getValue] }
  end
  status = admin.getClusterStatus
  status.getServers.map { |sn| [sn, status.getLoad(sn)] }
end

def qualified(path)
  p = PATH.new(path)
  p.getFileSystem(CONF).makeQualified(p).toString
rescue Exception
  path
end

def root_dir
  qualified(CONF.get('hbase.rootdir') || '')
end

def wal_dir
  w = CONF.get('hbase.wal.dir')
  w.nil? || w.empty? ? root_dir : qualified(w)
end

def cluster_key
  jc(HB + 'zookeeper.ZKConfig').getZooKeeperClusterKey(CONF)
rescue Exception
  [CONF.get('hbase.zookeeper.quorum'), CONF.get('hbase.zookeeper.property.clientPort', '2181'),
   CONF.get('zookeeper.znode.parent', '/hbase')].join(':')
end

# Value of a key that a site file sets; nil where only HBase's or Hadoop's defaults do.
def site(key)
  value = SITE.get(key)
  sources = SITE.respond_to?(:getPropertySources) ? list(SITE.getPropertySources(key)) : []
  !sources.empty? && sources.last =~ /-default\.xml\z/ ? nil : value
end

def switches
  if admin.respond_to?(:isSplitEnabled)
    return [admin.isSplitEnabled, admin.isMergeEnabled]
  end
  type = switch_type
  type ? [admin.isSplitOrMergeEnabled(type::SPLIT), admin.isSplitOrMergeEnabled(type::MERGE)] : [nil, nil]
end

def switch_type
  jc?(HB + 'client.MasterSwitchType') || jc?(HB + 'client.Admin$MasterSwitchType')
end

on('cluster.identity', :read) do |q|
  m = if admin.respond_to?(:getClusterMetrics)
    metrics('HBASE_VERSION', 'CLUSTER_ID', 'MASTER', option?('SERVERS_NAME') ? 'SERVERS_NAME' : 'LIVE_SERVERS',
            'DEAD_SERVERS', 'REGIONS_IN_TRANSITION', 'BALANCER_ON')
  else
    admin.getClusterStatus
  end
  servers = option?('SERVERS_NAME') ? m.getServersName : ONE ? m.getServers : m.getLiveServerMetrics.keySet
  transit = ask(m, :getRegionStatesInTransition, :getRegionsInTransition)
  master = ask(m, :getMasterName, :getMaster)
  balancer = ask(m, :getBalancerOn)
  split, merge = switches
  { 'cluster_id' => m.getClusterId, 'hbase_version' => m.getHBaseVersion,
    'hadoop_version' => jc('org.apache.hadoop.util.VersionInfo').getVersion,
    'rootdir' => root_dir, 'wal_dir' => wal_dir, 'cluster_key' => cluster_key,
    'master' => master.nil? ? '' : master.toString,
    'servers' => servers.map { |s| s.toString }.sort,
    'dead_servers' => list(m.getDeadServerNames).map { |s| s.toString }.sort,
    'regions_in_transition' => transit.nil? ? 0 : transit.size,
    'balancer_on' => balancer, 'replication_enabled' => !ONE || CONF.getBoolean('hbase.replication', true),
    'split_enabled' => split, 'merge_enabled' => merge,
    'user' => jc(HB + 'security.User').getCurrent.getName.to_s,
    'time_ms' => java.lang.System.currentTimeMillis,
    'settings' => (q['settings'] || []).inject({}) { |h, k| v = site(k); h[k] = v unless v.nil?; h } }
end

on('namespaces.list', :read) do |q|
  listing(admin.listNamespaceDescriptors.map { |d| d.getName }.sort, q['max'])
end

def descriptors(names)
  return admin.respond_to?(:listTableDescriptors) ? admin.listTableDescriptors : admin.listTables if names.nil?
  wanted = java.util.ArrayList.new
  names.each { |n| wanted.add(tn(n)) }
  return [] if wanted.isEmpty
  admin.respond_to?(:listTableDescriptors) ? admin.listTableDescriptors(wanted) : admin.getTableDescriptorsByTableName(wanted)
end

def descriptor(table)
  admin.respond_to?(:getDescriptor) ? admin.getDescriptor(tn(table)) : admin.getTableDescriptor(tn(table))
end

# {table: regions} of all enabled tables in one call (HBASE-22344, from 2.3 on; it says 0 of a disabled one); empty
# on older lines.
def region_counts
  return {} unless option?('TABLE_TO_REGIONS_COUNT')
  metrics('TABLE_TO_REGIONS_COUNT').getTableRegionStatesCount.entrySet.inject({}) do |h, e|
    h[e.getKey.getNameAsString] = e.getValue.getTotalRegions - e.getValue.getSplitRegions
    h
  end
rescue Exception
  {}
end

# {table: enabled} of all tables in one scan of hbase:meta, where 2.x keeps them (family `table`, a TableState
# message of one field: 0 is ENABLED); empty on 1.x and where meta may not be read.
def table_states
  return {} if ONE
  scan = jc(HB + 'client.Scan').new
  scan.addFamily(bytes('table'))
  scan.setCaching(1000)
  states = {}
  meta = connection.getTable(TN::META_TABLE_NAME)
  scanner = meta.getScanner(scan)
  while row = scanner.next
    value = row.getValue(bytes('table'), bytes('state'))
    states[BYTES.toString(row.getRow)] = raw(value) == "\x08\x00" unless value.nil?
  end
  states
rescue Exception
  {}
ensure
  scanner.close if scanner
  meta.close if meta
end

def count_regions(name)
  (admin.respond_to?(:getRegions) ? admin.getRegions(name) : admin.getTableRegions(name)).size
end

def own_value(d, key)
  value = d.respond_to?(:getConfigurationValue) ? d.getConfigurationValue(key) : nil
  value.nil? ? d.getValue(key) : value
end

def family(f)
  { 'name' => f.getNameAsString, 'scope' => f.getScope,
    'compression' => ask(f, :getCompressionType, :getCompression).to_s,
    'data_block_encoding' => f.getDataBlockEncoding.to_s, 'versions' => f.getMaxVersions,
    'min_versions' => f.getMinVersions, 'ttl_seconds' => f.getTimeToLive, 'keep_deleted_cells' => f.getKeepDeletedCells.to_s,
    'mob' => f.respond_to?(:isMobEnabled) ? f.isMobEnabled : false }
end

def coprocessors(d)
  return list(d.getCoprocessorDescriptors).map { |c| c.getClassName } if d.respond_to?(:getCoprocessorDescriptors)
  list(d.getCoprocessors)
end

def table(d, counts, states)
  name = d.getTableName
  text = name.getNameAsString
  enabled = states.has_key?(text) ? states[text] : admin.isTableEnabled(name)
  { 'name' => text, 'enabled' => enabled, 'regions' => (enabled && counts[text]) || count_regions(name),
    'families' => list(ask(d, :getColumnFamilies, :getFamilies)).map { |f| family(f) },
    'coprocessors' => coprocessors(d), 'durability' => d.getDurability.to_s,
    'major_compaction' => own_value(d, 'hbase.hregion.majorcompaction') }
end

on('tables.list', :read) do |q|
  all = descriptors(q['names']).map { |d| [d.getTableName.getNameAsString, d] }.sort_by { |n, d| n }
  cut = listing(all, q['max'])
  counts, states = cut['items'].size > 8 ? [region_counts, table_states] : [{}, {}]
  # A table that is dropped between the two looks is not there.
  { 'items' => cut['items'].map { |n, d|
      begin
        table(d, counts, states)
      rescue Exception => e
        raise unless kind_of(e) =~ /TableNotFoundException\z/
        nil
      end }.compact, 'total' => cut['total'] }
end

def locations(name)
  locator = connection.getRegionLocator(name)
  locator.getAllRegionLocations.map { |l| [ask(l, :getRegion, :getRegionInfo), l.getServerName] }
ensure
  locator.close if locator
end

def encoded(region_name)
  region_name =~ /\.([0-9a-f]{32})\.\z/ ? $1 : region_name
end

# The first key of a region, out of its whole name: `table,start,time.encoded.`; the key may hold commas.
def start_hex(name)
  text = raw(name)
  first = text.index(',') + 1
  text[first...text.rindex(',')].unpack('H*')[0]
end

# Straight from the servers, not from the last heartbeat: a server that hangs is an error, not a counter at rest.
def region_writes(server, name)
  answer = admin.respond_to?(:getRegionMetrics) ? admin.getRegionMetrics(server, name) : admin.getRegionLoad(server, name)
  answer = answer.values if answer.respond_to?(:values)
  answer.map do |r|
    { 'region' => encoded(r.getNameAsString), 'server' => server.toString,
      'writes' => ask(r, :getWriteRequestCount, :getWriteRequestsCount),
      'start_hex' => start_hex(ask(r, :getRegionName, :getName)) }
  end
end

# 1.x without a call for one table: the heartbeat's load of every region.
def heartbeat_writes(table)
  loads.map { |sn, load|
    load.getRegionsLoad.values.select { |r| r.getNameAsString.index(table + ',') == 0 }.map { |r|
      { 'region' => encoded(r.getNameAsString), 'server' => sn.toString, 'writes' => r.getWriteRequestsCount,
        'start_hex' => start_hex(r.getName) } } }.flatten
end

on('tables.writes', :read) do |q|
  tables = strings!(q, 'names').select { |n| admin.tableExists(tn(n)) }
  direct = admin.respond_to?(:getRegionMetrics) || admin.respond_to?(:getRegionLoad)
  items = tables.map do |n|
    rows = if direct
      servers = locations(tn(n)).map { |r, s| s }.compact.uniq
      side_by_side(servers) { |s| region_writes(s, tn(n)) }.flatten
    else
      heartbeat_writes(n)
    end
    { 'table' => n, 'regions' => rows.sort_by { |r| r['region'] } }
  end
  listing(items, items.size)
end

SECRET = /password|secret|json\.value|token/i

# A peer's CONFIG; of what may be a secret only that it is set.
def peer_settings(c)
  found = {}
  c.getConfiguration.entrySet.each { |e| found[e.getKey] = e.getKey =~ SECRET ? '(set)' : e.getValue.to_s }
  found
end

def peer(id, enabled, c)
  cfs = {}
  c.getTableCFsMap.entrySet.each { |e| cfs[e.getKey.getNameAsString] = list(e.getValue) } unless c.getTableCFsMap.nil?
  namespaces = list(ask(c, :getNamespaces))
  endpoint = c.getReplicationEndpointImpl.to_s
  { 'id' => id, 'enabled' => enabled, 'cluster_key' => c.getClusterKey.to_s,
    'endpoint' => endpoint == OWN_ENDPOINT ? '' : endpoint,
    'replicate_all' => c.respond_to?(:replicateAllUserTables) ? c.replicateAllUserTables : cfs.empty? && namespaces.empty?,
    'table_cfs' => cfs, 'namespaces' => namespaces.sort, 'serial' => ask(c, :isSerial) == true,
    'bandwidth' => ask(c, :getBandwidth).to_i, 'config' => peer_settings(c) }
end

def peers
  found = if ONE
    peer_admin.listPeerConfigs.entrySet.map { |e| peer(e.getKey, peer_admin.getPeerState(e.getKey), e.getValue) }
  else
    admin.listReplicationPeers.map { |d| peer(d.getPeerId, d.isEnabled, d.getPeerConfig) }
  end
  found.sort_by { |p| p['id'] }
end

on('peers.list', :read) { |q| listing(peers, q['max']) }

def queue(server, s)
  { 'server' => server, 'peer' => s.getPeerID, 'queue_id' => (ask(s, :getQueueId) || s.getPeerID).to_s,
    'recovered' => ask(s, :isRecovered), 'running' => ask(s, :isRunning), 'size' => s.getSizeOfLogQueue,
    'age_last_shipped_ms' => s.getAgeOfLastShippedOp,
    'last_shipped_ms' => ask(s, :getTimestampOfLastShippedOp, :getTimeStampOfLastShippedOp),
    'next_to_ship_ms' => ask(s, :getTimeStampOfNextToReplicate), 'lag_ms' => s.getReplicationLag,
    'edits_read' => ask(s, :getEditsRead), 'ops_shipped' => ask(s, :getOPsShipped),
    'has_edits_since_restart' => ask(s, :hasEditsSinceRestart) }
end

def server_load(sn, load)
  sources = if load.respond_to?(:getReplicationLoadSourceMap)       # 2.3 and later: one per queue
    load.getReplicationLoadSourceMap.values.map { |v| list(v) }.flatten
  else
    list(load.getReplicationLoadSourceList)
  end
  sink = load.getReplicationLoadSink
  reported = load.respond_to?(:getReportTimestamp) ? load.getReportTimestamp : load.obtainServerLoadPB.getReportEndTime
  { 'server' => sn.toString, 'reported_ms' => reported,
    'queues' => sources.map { |s| queue(sn.toString, s) }.sort_by { |x| [x['peer'], x['queue_id']] },
    'sink_age_last_applied_ms' => sink && sink.getAgeOfLastAppliedOp,
    'sink_last_applied_ms' => sink && ask(sink, :getTimestampsOfLastAppliedOp, :getTimeStampsOfLastAppliedOp) }
end

on('replication.load', :read) do |q|
  all = loads.sort_by { |sn, load| sn.toString }
  { 'items' => all.first(q['max'].is_a?(Integer) ? q['max'] : 1000).map { |sn, load| server_load(sn, load) },
    'total' => all.size }
end

def snapshot_table(s)
  s.respond_to?(:getTableNameAsString) ? s.getTableNameAsString : s.getTable
end

on('snapshots.list', :read) do |q|
  all = admin.listSnapshots.map do |s|
    { 'name' => s.getName, 'table' => snapshot_table(s).to_s, 'created_ms' => s.getCreationTime, 'type' => s.getType.to_s,
      'ttl_seconds' => [ask(s, :getTtl).to_i, 0].max, 'owner' => s.getOwner.to_s }
  end
  listing(all.sort_by { |s| s['name'] }, q['max'])
end

on('snapshots.stats', :slow) do |q|
  names = strings!(q, 'names')
  found = admin.listSnapshots.select { |s| names.include?(s.getName) }.sort_by { |s| s.getName }
  items = found.map do |s|
    x = jc(HB + 'snapshot.SnapshotInfo').getSnapshotStats(CONF, s)
    { 'name' => s.getName, 'files' => x.getStoreFilesCount, 'bytes' => x.getStoreFilesSize,
      'shared_bytes' => x.getSharedStoreFilesSize, 'archived_bytes' => x.getArchivedStoreFileSize,
      'corrupt' => x.isSnapshotCorrupted, 'missing_files' => ask(x, :getMissingStoreFilesCount).to_i }
  end
  listing(items, items.size)
end

def usage(fs, shown, path)
  c = fs.getContentSummary(path)
  { 'path' => shown, 'bytes' => c.getLength, 'space' => c.getSpaceConsumed, 'files' => c.getFileCount, 'exists' => true }
rescue Exception => e
  raise unless kind_of(e) =~ /FileNotFoundException\z/
  { 'path' => shown, 'bytes' => 0, 'space' => 0, 'files' => 0, 'exists' => false }
end

on('hdfs.usage', :slow) do |q|
  wal = PATH.new(wal_dir)
  fs = wal.getFileSystem(CONF)
  under = lambda { |root, name| p = PATH.new(root, name); usage(p.getFileSystem(CONF), p.toString, p) }
  others = strings!(q, 'paths').map do |p|
    path = fs.makeQualified(PATH.new(p)) if p !~ /\A[a-zA-Z][\w+.-]*:/
    path ||= PATH.new(p)
    usage(path.getFileSystem(CONF), p, path)
  end
  status = fs.getStatus(wal)
  { 'filesystem' => fs.getUri.toString, 'capacity' => status.getCapacity, 'used' => status.getUsed,
    'remaining' => status.getRemaining, 'wals' => under.call(wal, 'WALs'), 'old_wals' => under.call(wal, 'oldWALs'),
    'archive' => under.call(PATH.new(root_dir), 'archive'), 'others' => others }
end

def knock(host, port, timeout)
  socket = java.net.Socket.new
  socket.connect(java.net.InetSocketAddress.new(host, port), timeout)
  [true, '']
rescue Exception => e
  [false, describe(e).map { |x| x.sub(/\A.*\./, '') }.first + ': ' + describe(e)[1]]
ensure
  socket.close if socket
end

on('ports.check', :slow) do |q|
  targets = q['targets']
  bad!('targets must be a list') unless targets.is_a?(Array)
  items = side_by_side(targets) do |t|
    bad!('a target needs host and port') unless t.is_a?(Hash) && t['host'].is_a?(String) && t['port'].is_a?(Integer)
    open, error = knock(t['host'], t['port'], q['timeout_ms'])
    { 'host' => t['host'], 'port' => t['port'], 'what' => t['what'].to_s, 'open' => open, 'error' => error }
  end
  listing(items, items.size)
end

# ------------------------------------------------------------------------------------------------ servers' pages
PAGE_MS = 3000                  # to connect, and between two pieces of an answer
PAGE_SECONDS = 10.0             # for one page in all
PAGE_LIMIT = 16 * 1024 * 1024
PAGES_SECONDS = 30.0            # servers whose turn comes later than this are not asked
METRIC_LIMIT = 2000
NO_PAGE = 'hbase_ferry.NoPage'

# The whole text of one page; `address` is http://host:port. Never through a proxy: these are the cluster's own hosts.
def page(address, path)
  link = java.net.URL.new(address + path).openConnection(java.net.Proxy::NO_PROXY)
  link.setConnectTimeout(PAGE_MS)
  link.setReadTimeout(PAGE_MS)
  code = link.getResponseCode
  raise Fault.new(NO_PAGE, "#{path} answered #{code} #{link.getResponseMessage}") unless code == 200
  drained(link.getInputStream, path)
ensure
  link.disconnect if link
end

def drained(stream, path)
  till = Time.now.to_f + PAGE_SECONDS
  buffer = Java::byte[65_536].new
  whole = java.io.ByteArrayOutputStream.new
  while (n = stream.read(buffer)) >= 0
    whole.write(buffer, 0, n)
    raise Fault.new(NO_PAGE, "#{path} is longer than #{PAGE_LIMIT} bytes") if whole.size > PAGE_LIMIT
    raise Fault.new(NO_PAGE, "#{path} took longer than #{PAGE_SECONDS.to_i} s") if Time.now.to_f > till
  end
  whole.toString('UTF-8')
ensure
  stream.close if stream
end

# The list of that name in a JSON text.
def part(text, name, path)
  found = begin
    Json.load(text)
  rescue ArgumentError
    nil
  end
  return found[name] if found.is_a?(Hash) && found[name].is_a?(Array)
  raise Fault.new(NO_PAGE, "#{path} is not the JSON it should be: it begins with #{text[0, 40].inspect}")
end

# /conf is long and few of its keys are wanted: where it is written without spaces only their objects are parsed. Inside
# a JSON text a quote is escaped, so `{"key":"name"` is found nowhere but where it is a key.
def page_settings(address, keys)
  text = page(address, '/conf?format=json')
  unless text.index('{"key":"')
    properties = part(text, 'properties', '/conf')
    text = properties.map { |p| '{"key":' + Json.text(p['key']) + ',"value":' + Json.dump(p['value']) + '}' }.join(',')
  end
  keys.inject({}) do |found, key|
    at = text.index('"key":' + Json.text(key.sub(/\A\?/, '')))
    value = at && Json.value(StringScanner.new(text[text.rindex('{', at)..-1]))['value']
    found[key] = key[0, 1] == '?' ? '(set)' : value.to_s unless value.to_s.empty?
    found
  end
end

def bean(address, name)
  part(page(address, '/jmx?qry=' + name), 'beans', '/jmx')[0] || {}
end

def page_metrics(address, wanted)
  found = {}
  bean(address, 'Hadoop:service=HBase,name=RegionServer,sub=Replication').each do |name, value|
    value = value.to_i if value.is_a?(String) && value =~ /\A-?\d+\z/       # 1.x writes numbers as texts
    found[name] = value if value.is_a?(Integer) && wanted.include?(name[/[^.]*\z/])
  end
  return found if found.size <= METRIC_LIMIT
  raise Fault.new(NO_PAGE, "/jmx shows #{found.size} of the counters asked for, more than #{METRIC_LIMIT}")
end

def page_jars(address, parts)
  path = bean(address, 'java.lang:type=Runtime')['ClassPath'].to_s
  path.split(/[:;]/).map { |e| e[/[^\/\\]*\z/] }.select { |n| parts.any? { |p| n.index(p) } }.uniq.sort.first(1000)
end

def server_facts(name, role, port, q, till)
  facts = { 'server' => name, 'role' => role, 'at_ms' => java.lang.System.currentTimeMillis, 'error' => '' }
  empty = { 'settings' => {}, 'metrics' => {}, 'jars' => [] }
  scheme = CONF.getBoolean('hbase.ssl.enabled', CONF.getBoolean('hadoop.ssl.enabled', false)) ? 'https' : 'http'
  address = "#{scheme}://#{name.split(',')[0]}:#{port}"
  if port.to_i <= 0
    key = role == 'master' ? 'hbase.master.info.port' : 'hbase.regionserver.info.port'
    raise Fault.new(NO_PAGE, "it serves none: #{key} is off")
  end
  raise Fault.new(NO_PAGE, "the servers before it took #{PAGES_SECONDS.to_i} s") if Time.now.to_f > till
  read = { 'settings' => q['settings'].empty? ? {} : page_settings(address, q['settings']),
           'metrics' => q['metrics'].empty? || role == 'master' ? {} : page_metrics(address, q['metrics']),
           'jars' => q['jars'].empty? ? [] : page_jars(address, q['jars']) }
  facts.merge(read)
rescue Exception => e
  kind, text = describe(e)
  where = port.to_i > 0 ? " at #{address}" : ''
  text = "#{kind.sub(/\A.*\./, '')}: #{text}" unless kind == NO_PAGE
  facts.merge(empty).merge('error' => "the information pages of #{role} #{name}#{where} could not be read: #{text}")
end

# [[name, role, port of its pages], ...], the master first.
def page_places
  places = loads.map { |sn, load| [sn.toString, 'region server', load.getInfoServerPort] }.sort
  master = admin.respond_to?(:getMaster) ? admin.getMaster : admin.getClusterStatus.getMaster
  return places if master.nil?
  [[master.toString, 'master', admin.getMasterInfoPort]] + places
end

on('servers.read', :slow) do |q|
  %w(settings metrics jars).each { |key| strings!(q, key) }
  places = listing(page_places, q['max'])
  till = Time.now.to_f + PAGES_SECONDS
  items = side_by_side(places['items'], 64) { |name, role, port| server_facts(name, role, port, q, till) }
  { 'items' => items, 'total' => places['total'] }
end

# ------------------------------------------------------------------------------------------------ changes
# Runs the block; an error whose text matches is the state that was asked for.
def unless_already(pattern)
  yield
  effected(true)
rescue Exception => e
  kind, text = describe(e)
  raise unless pattern.match(kind + ': ' + text)
  effected(false, text)
end

def namespace?(name)
  admin.listNamespaceDescriptors.any? { |d| d.getName == name }
end

on('namespace.create', :change) do |q|
  name = text!(q, 'name')
  next effected(false, "namespace #{name} exists") if namespace?(name)
  unless_already(/NamespaceExistException/) { admin.createNamespace(jc(HB + 'NamespaceDescriptor').create(name).build) }
end

on('namespace.delete', :change) do |q|
  name = text!(q, 'name')
  next effected(false, "no namespace #{name}") unless namespace?(name)
  unless_already(/NamespaceNotFoundException/) { admin.deleteNamespace(name) }
end

def cfs_map(cfs)
  map = java.util.HashMap.new
  cfs.each do |table, families|
    map.put(tn(table), families.nil? || families.empty? ? nil : java.util.ArrayList.new(families))
  end
  map
end

# An endpoint that needs no cluster key gets the source's own one, as HBase's shell does.
def peer_key(q)
  q['endpoint'] && q['cluster_key'].to_s.empty? ? cluster_key : text!(q, 'cluster_key')
end

# 1.x has no peer born disabled: it is added and disabled at once, which leaves a window of milliseconds.
def add_peer_1x(q, map)
  c = PEER_CONFIG.new
  c.setClusterKey(peer_key(q))
  c.setBandwidth(q['bandwidth']) if q['bandwidth'].to_i > 0 && c.respond_to?(:setBandwidth)
  c.setReplicationEndpointImpl(q['endpoint']) if q['endpoint']
  (q['config'] || {}).each { |k, v| c.getConfiguration.put(k, v) }
  peer_admin.addPeer(q['id'], c, map)
  began = java.lang.System.nanoTime
  peer_admin.disablePeer(q['id'])
  effected(true, "was enabled for #{(java.lang.System.nanoTime - began) / 1_000_000} ms before it was disabled")
end

on('peer.add', :change) do |q|
  text!(q, 'id')
  text!(q, 'endpoint') unless q['endpoint'].nil?
  key = peer_key(q)
  cfs, config = q['table_cfs'], q['config'] || {}
  bad!('table_cfs must name at least one table') unless cfs.is_a?(Hash) && !cfs.empty?
  bad!('config must be {name: text}') unless config.is_a?(Hash) && config.values.all? { |v| v.is_a?(String) }
  if ONE
    unless q['window_ok'] == true
      raise Fault.new('hbase_ferry.BornEnabled', 'HBase 1.x adds a peer ENABLED; window_ok allows to add and disable it at once')
    end
    next add_peer_1x(q, cfs_map(cfs))
  end
  b = PEER_CONFIG.newBuilder
  b.setClusterKey(key)
  b.setReplicationEndpointImpl(q['endpoint']) if q['endpoint']
  config.each { |k, v| b.putConfiguration(k, v) }
  b.setReplicateAllUserTables(false)
  b.setTableCFsMap(cfs_map(cfs))
  b.setBandwidth(q['bandwidth']) if q['bandwidth'].to_i > 0
  b.setSerial(true) if q['serial'] == true
  admin.addReplicationPeer(q['id'], b.build, false)
  effected(true)
end

def peer_enabled(id)
  found = peers.find { |p| p['id'] == id }
  found && found['enabled']
end

on('peer.enable', :change) do |q|
  id = text!(q, 'id')
  next effected(false, "peer #{id} is enabled") if peer_enabled(id) == true
  unless_already(/has already been enabled/) { ONE ? peer_admin.enablePeer(id) : admin.enableReplicationPeer(id) }
end

on('peer.disable', :change) do |q|
  id = text!(q, 'id')
  next effected(false, "peer #{id} is disabled") if peer_enabled(id) == false
  unless_already(/has already been disabled/) { ONE ? peer_admin.disablePeer(id) : admin.disableReplicationPeer(id) }
end

on('peer.remove', :change) do |q|
  id = text!(q, 'id')
  next effected(false, "no peer #{id}") if peer_enabled(id).nil?
  unless_already(/ReplicationPeerNotFoundException|does not exist/) { ONE ? peer_admin.removePeer(id) : admin.removeReplicationPeer(id) }
end

# 1.x returns before the regions have reopened.
def modify(name, d)
  return admin.modifyTable(d) unless ONE
  admin.modifyTable(name, d)
  still = 0
  until still >= 3
    sleep 0.2
    still = admin.getAlterStatus(name).getFirst.to_i == 0 ? still + 1 : 0
  end
end

on('table.scope', :change) do |q|
  name = tn(text!(q, 'table'))
  scopes = q['scopes']
  bad!('scopes must be {family: 0 or 1}') unless scopes.is_a?(Hash) && scopes.values.all? { |v| v == 0 || v == 1 }
  d = descriptor(q['table'])
  have = list(ask(d, :getColumnFamilies, :getFamilies)).inject({}) { |h, f| h[f.getNameAsString] = f; h }
  missing = scopes.keys.reject { |k| have.has_key?(k) }
  unless missing.empty?
    raise Fault.new(HB + 'regionserver.NoSuchColumnFamilyException', "table #{q['table']} has no family #{missing.sort.join(', ')}")
  end
  todo = scopes.select { |k, v| have[k].getScope != v }
  next effected(false, 'every family has that scope') if todo.empty?
  if ONE
    d = jc(HB + 'HTableDescriptor').new(d)
    todo.each { |k, v| d.getFamily(bytes(k)).setScope(v) }
    modify(name, d)
  else
    b = TABLE_BUILDER.newBuilder(d)
    todo.each { |k, v| b.modifyColumnFamily(FAMILY_BUILDER.newBuilder(have[k]).setScope(v).build) }
    modify(name, b.build)
  end
  effected(true)
end

on('table.major_compaction', :change) do |q|
  key = 'hbase.hregion.majorcompaction'
  name = tn(text!(q, 'table'))
  d = descriptor(q['table'])
  next effected(false, 'it has that value') if own_value(d, key) == q['value']
  if ONE
    d = jc(HB + 'HTableDescriptor').new(d)
    d.remove(key)
    q['value'].nil? ? d.removeConfiguration(key) : d.setConfiguration(key, q['value'])
    modify(name, d)
  else
    b = TABLE_BUILDER.newBuilder(d)
    q['value'].nil? ? b.removeValue(bytes(key)) : b.setValue(key, q['value'])
    modify(name, b.build)
  end
  effected(true)
end

on('table.enable', :change) do |q|
  name = tn(text!(q, 'table'))
  next effected(false, "table #{q['table']} is enabled") if admin.tableExists(name) && admin.isTableEnabled(name)
  unless_already(/TableNotDisabledException/) { admin.enableTable(name) }
end

on('table.disable', :change) do |q|
  name = tn(text!(q, 'table'))
  next effected(false, "table #{q['table']} is disabled") if admin.tableExists(name) && admin.isTableDisabled(name)
  unless_already(/TableNotEnabledException/) { admin.disableTable(name) }
end

on('table.drop', :change) do |q|
  name = tn(text!(q, 'table'))
  next effected(false, "no table #{q['table']}") unless admin.tableExists(name)
  unless_already(/TableNotFoundException/) { admin.deleteTable(name) }
end

# Families that are gone already count as deleted; a table keeps at least one (HBase refuses the last itself).
on('table.delete_families', :change) do |q|
  name = tn(text!(q, 'table'))
  wanted = strings!(q, 'families')
  d = descriptor(q['table'])
  gone = list(ask(d, :getColumnFamilies, :getFamilies)).map { |f| f.getNameAsString } & wanted
  next effected(false, 'it has none of these families') if gone.empty?
  if ONE
    d = jc(HB + 'HTableDescriptor').new(d)
    gone.each { |f| d.removeFamily(bytes(f)) }
    modify(name, d)
  else
    b = TABLE_BUILDER.newBuilder(d)
    gone.each { |f| b.removeColumnFamily(bytes(f)) }
    modify(name, b.build)
  end
  effected(true)
end

on('wal.roll', :change) do |q|
  servers = loads.map { |sn, load| sn }
  side_by_side(servers) { |sn| admin.rollWALWriter(sn) }
  effected(true, "#{servers.size} region servers")
end

def switch(kind, on)
  direct = { 'SPLIT' => :splitSwitch, 'MERGE' => :mergeSwitch }[kind]
  return admin.send(direct, on, true) if admin.respond_to?(direct)
  type = switch_type
  raise Fault.new('hbase_ferry.Unsupported', "HBase #{CLIENT_VERSION} has no split and merge switch") unless type
  admin.setSplitOrMergeEnabled(on, true, [type.const_get(kind)].to_java(type))
end

on('switch.split_merge', :change) do |q|
  wanted = [q['split'] == true, q['merge'] == true]
  have = switches
  next effected(false, 'both are so') if have == wanted
  switch('SPLIT', wanted[0]) if have[0] != wanted[0]
  switch('MERGE', wanted[1]) if have[1] != wanted[1]
  effected(true)
end

on('snapshot.create', :change) do |q|
  admin.snapshot(text!(q, 'name'), tn(text!(q, 'table')))
  effected(true)
end

def snapshot?(name)
  admin.listSnapshots.any? { |s| s.getName == name }
end

on('snapshot.delete', :change) do |q|
  name = text!(q, 'name')
  next effected(false, "no snapshot #{name}") unless snapshot?(name)
  unless_already(/SnapshotDoesNotExistException/) { admin.deleteSnapshot(name) }
end

on('snapshot.restore', :change) do |q|
  admin.restoreSnapshot(text!(q, 'name'))
  effected(true)
end

# ------------------------------------------------------------------------------------------------ canary rows
CANARY = "\x00hbase-ferry-canary-"

def raw(java_bytes)
  String.from_java_bytes(java_bytes)
end

def with_table(name)
  t = connection.getTable(tn(name))
  yield t
ensure
  t.close if t
end

# The canary's key in this region; nil where the region's end lies before it.
def canary_key(region, id)
  key = (raw(region.getStartKey) + CANARY + id).to_java_bytes
  limit = region.getEndKey
  limit.length == 0 || BYTES.compareTo(key, limit) < 0 ? key : nil
end

def canary_row(key, region, server, present)
  { 'row_hex' => raw(key).unpack('H*')[0], 'region' => region.getEncodedName, 'server' => server.to_s, 'present' => present }
end

# Rows of this id that an earlier try, whose answer was lost, left in other regions: [[key, region, server], ...].
def left_canaries(table, family, placed, written)
  known = written.map { |key| raw(key) }
  others = placed.reject { |key, region, server| known.include?(raw(key)) }
  gets = java.util.ArrayList.new
  others.each { |key, region, server| gets.add(jc(HB + 'client.Get').new(key).addFamily(bytes(family))) }
  return [] if others.empty?
  found = with_table(table) { |t| list(t.get(gets)) }
  others.each_with_index.select { |place, i| !found[i].isEmpty }.map { |place, i| place }
end

on('canary.write', :change) do |q|
  id = text!(q, 'id')
  bad!('id may hold letters, digits, dot, dash and underscore') unless id =~ /\A[A-Za-z0-9._-]{1,100}\z/
  text!(q, 'family')
  descriptor(text!(q, 'table'))                            # a table that does not exist has no regions, and no error
  placed = locations(tn(q['table'])).map { |region, server| [canary_key(region, id), region, server] }
  placed = placed.reject { |key, region, server| key.nil? || server.nil? }
  by_server = {}
  placed.each { |key, region, server| by_server[server.toString] ||= [key, region] }
  items = by_server.keys.sort.map do |server|
    key, region = by_server[server]
    put = jc(HB + 'client.Put').new(key)
    put.addColumn(bytes(q['family']), bytes('ferry'), bytes(id))
    with_table(q['table']) { |t| t.put(put) }
    canary_row(key, region, server, true)
  end
  written = by_server.values.map { |key, region| key }
  left_canaries(q['table'], q['family'], placed, written).each { |k, r, s| items << canary_row(k, r, s, true) }
  listing(items, items.size)
end

def canary_rows(q)
  rows = strings!(q, 'rows')
  bad!('rows must be hex, at most 10000 of them') unless rows.size <= 10_000 && rows.all? { |r| r =~ /\A([0-9a-f]{2})+\z/ }
  rows.map { |r| [r].pack('H*') }
end

def present?(t, key)
  get = jc(HB + 'client.Get').new(key)
  t.exists(get)
end

on('canary.read', :read) do |q|
  keys = canary_rows(q)
  locator = connection.getRegionLocator(tn(text!(q, 'table')))
  items = with_table(q['table']) do |t|
    keys.map do |k|
      key = k.to_java_bytes
      place = locator.getRegionLocation(key)
      canary_row(key, ask(place, :getRegion, :getRegionInfo), place.getServerName && place.getServerName.toString, present?(t, key))
    end
  end
  listing(items, items.size)
end

on('canary.delete', :change) do |q|
  keys = canary_rows(q)
  bad!('one of these rows is no canary row') unless keys.all? { |k| k.include?(CANARY) }
  gone = 0
  with_table(text!(q, 'table')) do |t|
    keys.each do |k|
      key = k.to_java_bytes
      next unless present?(t, key)
      t.delete(jc(HB + 'client.Delete').new(key))
      gone += 1
    end
  end
  effected(gone > 0, "#{gone} of #{keys.size} rows deleted")
end

# ------------------------------------------------------------------------------------------------ pages of rows
SKIP = 4                        # a row above so many times max_bytes is only named
CELL_BYTES = 64                 # what a cell costs an answer beside its qualifier and value, about
FREE_CELLS = 1_024              # so many cost nothing: 64 KiB more harm no line, however little was asked for
SCAN_SECONDS = 30.0             # a page that has rows ends after so long
SCAN = jc(HB + 'client.Scan')
KEY_VALUES = jc(HB + 'KeyValueUtil')

# One page of whole rows, as JSON. Made for speed: a cell is asked for once, as the bytes of a KeyValue, and its parts
# are cut out of their hex: lengths of key and value (4 + 4 bytes), of the row (2), row, length of the family (1),
# family, qualifier, time (8), type (1), value. `size`: key, qualifiers and values, as the store holds them; what is held
# against max_bytes counts the cells as well, else a page of tiny cells is longer than a line of the wire may be.
class RowPage
  attr_reader :row

  def initialize(max_rows, max_bytes, digest)
    @max_rows, @max_bytes, @digest = max_rows, max_bytes, digest
    @rows, @skipped, @families, @bytes, @count = [], [], {}, 0, 0
    @till = Time.now.to_f + SCAN_SECONDS
    @last = @row = nil
  end

  def open(row)
    @last = @row = row
    @cells, @size = [], row.length
  end

  def add(cells)
    length_at = 20 + 2 * @row.length
    cells.each do |cell|
      bytes = String.from_java_bytes(KEY_VALUES.copyToNewByteArray(cell))
      hex = bytes.unpack('H*')[0]
      key, value = hex[0, 8].hex, hex[8, 8].hex
      family = hex[length_at + 2, 2 * hex[length_at, 2].hex]
      name = (@families[family] ||= Json.text(BYTES.toString([family].pack('H*').to_java_bytes)))
      qualifier_at, time_at = length_at + 2 + family.length, 2 * key - 2
      shown = @digest ? Digest::MD5.hexdigest(bytes[8 + key, value]) : hex[16 + 2 * key, 2 * value]
      @size += (time_at - qualifier_at) / 2 + value
      @cells << "[#{name},\"#{hex[qualifier_at...time_at]}\",#{time(hex[time_at, 16].hex)},\"#{shown}\"]"
    end
  end

  def time(ms)
    (ms < 0x8000000000000000 ? ms : ms - 0x10000000000000000) * 1000
  end

  def too_large?
    @row && measured(@size, @cells.size) > SKIP * @max_bytes
  end

  def measured(size, cells)
    size + CELL_BYTES * [cells - FREE_CELLS, 0].max
  end

  def close
    return if @row.nil?
    key = @row.unpack('H*')[0]
    if too_large?
      @skipped << key
    else
      @rows << "[\"#{key}\",[#{@cells.join(',')}]]"
      @bytes += @size
      @count += @cells.size
    end
    @row = @cells = nil
  end

  def full?
    measured(@bytes, @count) >= @max_bytes || @rows.size + @skipped.size >= @max_rows || (@last && Time.now.to_f > @till)
  end

  def behind
    @last + "\0"
  end

  def answer(stop)
    following = full? && (stop.empty? || (behind <=> stop) < 0) ? behind.unpack('H*')[0] : nil
    Json::Raw.new("{\"rows\":[#{@rows.join(',')}],\"next\":#{Json.dump(following)},\"bytes\":#{@bytes}," +
            "\"skipped\":#{Json.dump(@skipped)}}")
  end
end

def hex!(q, key)
  bad!("#{key} must be hex") unless q[key].is_a?(String) && q[key] =~ /\A([0-9a-f]{2})*\z/
  [q[key]].pack('H*')
end

def number!(q, key, least, most)
  v = q[key]
  bad!("#{key} must be a number from #{least} to #{most}") unless v.is_a?(Integer) && v >= least && v <= most
  v
end

def scan_of(q, start, stop)
  s = SCAN.new
  s.withStartRow(start.to_java_bytes)
  s.withStopRow(stop.to_java_bytes)
  q['families'].each { |f| s.addFamily(bytes(f)) }
  if s.respond_to?(:readAllVersions)
    q['versions'] == 0 ? s.readAllVersions : s.readVersions(q['versions'])
  else
    q['versions'] == 0 ? s.setMaxVersions : s.setMaxVersions(q['versions'])
  end
  s.setCacheBlocks(false)
  s.setAllowPartialResults(true)                           # a row that is too large never comes whole
  s.setCaching([q['max_rows'] + 1, 5000].min)
  s.setMaxResultSize([[2 * q['max_bytes'], 65_536].max, 2_097_152].min)
  s
end

# Fills the page from `start` on. Answers the key to go on from behind a row that is too large; nil: it is done.
def fill(page, scanner)
  while result = scanner.next
    row = raw(result.getRow)
    if row != page.row
      page.close
      return if page.full?
      page.open(row)
    end
    page.add(result.rawCells)
    if page.too_large?
      page.close
      return page.full? ? nil : page.behind
    end
  end
  page.close
  nil
end

on('rows.scan', :scan) do |q|
  text!(q, 'table')
  strings!(q, 'families')
  start, stop = hex!(q, 'start'), hex!(q, 'stop')
  number!(q, 'versions', 0, 1_000_000)
  bad!('values must be full or digest') unless ['full', 'digest'].include?(q['values'])
  page = RowPage.new(number!(q, 'max_rows', 1, 100_000), number!(q, 'max_bytes', 1, 8_000_000), q['values'] == 'digest')
  with_table(q['table']) do |t|
    until start.nil? || (!stop.empty? && (start <=> stop) >= 0)
      begin
        scanner = t.getScanner(scan_of(q, start, stop))
        start = fill(page, scanner)
      ensure
        scanner.close if scanner
        scanner = nil
      end
    end
  end
  page.answer(stop)
end

# ------------------------------------------------------------------------------------------------ detached jobs
def jobs_dir
  raise Fault.new('hbase_ferry.NoWorkDir', 'the agent was started without --work and --job-script') unless OPTIONS['work'] && OPTIONS['job-script']
  OPTIONS['work'] + '/jobs'
end

def job_dir(q)
  id = text!(q, 'id')
  bad!("job id #{id.inspect} may hold letters, digits, dot, dash and underscore") unless id =~ /\A[A-Za-z0-9][A-Za-z0-9._-]{0,199}\z/
  jobs_dir + '/' + id
end

# Output lines of job.sh.
def job_script(arguments, env = {})
  command = java.util.ArrayList.new(['/bin/sh', OPTIONS['job-script']] + arguments)
  builder = java.lang.ProcessBuilder.new(command)
  env.each { |k, v| builder.environment.put(k, v) }
  process = builder.start
  process.getOutputStream.close
  errors = Thread.new { slurp(process.getErrorStream) }
  out = slurp(process.getInputStream)
  code = process.waitFor
  raise Fault.new('hbase_ferry.JobScript', "job.sh ended with #{code}: #{errors.value.strip[0, 500]}") unless code == 0
  out.split("\n")
end

def slurp(stream)
  reader = java.io.BufferedReader.new(java.io.InputStreamReader.new(stream, 'UTF-8'))
  lines = []
  while line = reader.readLine
    lines << line.to_s
  end
  lines.join("\n")
end

# [bytes as text (invalid UTF-8 replaced), bytes read] of `file`, from `offset`, not ending inside a character.
def read_text(file, offset, max)
  f = java.io.RandomAccessFile.new(file, 'r')
  size = f.length
  n = [[size - offset, max].min, 0].max
  buffer = Java::byte[n].new
  f.seek(offset)
  f.readFully(buffer)
  keep = raw(buffer)
  if offset + n < size && n > 4
    tail = keep.unpack('C*').last(4)
    cut = (1..3).find { |i| tail[-i] >= 0xc0 }
    n -= cut if cut && tail[-cut] >= [0, 0, 0xe0, 0xf0][cut].to_i && cut < (tail[-cut] >= 0xf0 ? 4 : tail[-cut] >= 0xe0 ? 3 : 2)
  end
  [java.lang.String.new(buffer, 0, n, 'UTF-8').toString, n, size]
ensure
  f.close if f
end

WINDOW = 65_536
COUNTER = /^\t\t([^\t\n=][^\n=]*)=(\d+)\s*$/                                # MapReduce: two tabs, name=value
METRIC = /(?:^|\s)[A-Za-z][\w.-]*:([A-Za-z_]\w*):(\d+)[ \t\r]*$/               # Beam: namespace:name:value ends the line
FRAME = /\A\s+(at .+\(.*\)|\.\.\. \d+ more)\s*\z/    # of a stack trace: what was said stands above it
def job_state(id, dir, line)
  phase, code, started, ended, left = line.split(' ')
  state = { 'id' => id, 'phase' => phase, 'exit_code' => code == '-' ? nil : code.to_i,
            'started_ms' => started == '-' ? nil : started.to_i * 1000, 'ended_ms' => ended == '-' ? nil : ended.to_i * 1000,
            'output_bytes' => 0, 'counters' => {}, 'application_id' => '', 'tail' => [], 'left' => left.to_i }
  return state unless File.exist?(dir + '/out')
  head, n, size = read_text(dir + '/out', 0, WINDOW)
  text = size <= WINDOW ? head : read_text(dir + '/out', [size - WINDOW, 0].max, WINDOW)[0]
  [COUNTER, METRIC].each { |form| text.scan(form) { |name, value| state['counters'][name] = value.to_i } }
  found = (head + "\n" + text).scan(/\bapplication_\d+_\d+\b/)
  lines = text.split(/[\r\n]+/).reject { |l| l.strip.empty? || l =~ FRAME }
  state['output_bytes'] = size
  state['application_id'] = found.last || ''
  state['tail'] = lines.last(5).map { |l| l.rstrip[0, 500] }
  state['tail'] << "its wrapper is gone, #{left} of its processes still run" if left.to_i > 0
  state
end

on('job.start', :change) do |q|
  dir = job_dir(q)
  argv = strings!(q, 'argv')
  bad!('argv is empty') if argv.empty?
  env = q['env'] || {}
  bad!('env must be {NAME: text}') unless env.is_a?(Hash) && env.all? { |k, v| k =~ /\A[A-Za-z_]\w*\z/ && v.is_a?(String) }
  job_state(q['id'], dir, job_script(['start', dir] + argv, env)[0])
end

on('job.state', :slow) { |q| d = job_dir(q); job_state(q['id'], d, job_script(['state', d])[0]) }
on('job.stop', :change) { |q| d = job_dir(q); job_state(q['id'], d, job_script(['stop', d])[0]) }

on('job.list', :slow) do |q|
  prefix = q['prefix'].to_s
  ids = File.directory?(jobs_dir) ? Dir.entries(jobs_dir).select { |e| e =~ /\A[A-Za-z0-9]/ && e.index(prefix) == 0 }.sort : []
  cut = ids.last(500)
  dirs = cut.map { |i| jobs_dir + '/' + i }
  lines = dirs.empty? ? [] : job_script(['state'] + dirs)
  items = []
  cut.each_with_index { |id, i| items << job_state(id, dirs[i], lines[i]) }
  { 'items' => items, 'total' => ids.size }
end

on('job.read', :slow) do |q|
  dir = job_dir(q)
  offset, max = q['offset'], q['max']
  bad!('offset and max must be numbers from 0 on') unless offset.is_a?(Integer) && offset >= 0 && max.is_a?(Integer) && max >= 0
  raise Fault.new('hbase_ferry.NoJob', "no job #{q['id']}") unless File.exist?(dir + '/out')
  text, n, size = read_text(dir + '/out', offset, [max, 1_000_000].min)
  { 'offset' => offset, 'next_offset' => offset + n, 'text' => text }
end

# ------------------------------------------------------------------------------------------------ the loop
CHANGING = /\A(namespace|peer|table|switch|snapshot|wal)\.|\Acanary\.(write|delete)\z|\Ajob\.(start|stop)\z/

# Looked up anew each time; a job may be stopped while its cluster is away, once the id was seen.
def own_id(method)
  $own_id = cluster_id
rescue Exception
  raise unless $own_id && method =~ /\Ajob\./
  $own_id
end

def check_cluster(method, q)
  expected = q['expect_cluster_id']
  raise Fault.new('hbase_ferry.WrongCluster', 'a change needs expect_cluster_id') unless expected.is_a?(String)
  id = own_id(method)
  raise Fault.new('hbase_ferry.WrongCluster', "this is cluster #{id}, not #{expected}") if id != expected
end

def perform(id, method, q, ttl, came)
  waited = Time.now.to_f - came
  raise Fault.new('hbase_ferry.Expired', "waited #{waited.round} s for a free thread and was not begun") if ttl && waited > ttl
  check_cluster(method, q) if method =~ CHANGING
  write_line('jsonrpc' => '2.0', 'id' => id, 'result' => METHODS[method][1].call(q))
rescue Exception => e
  kind, text = describe(e)
  code = kind == 'hbase_ferry.BadRequest' ? -32602 : -32000
  write_line('jsonrpc' => '2.0', 'id' => id, 'error' => { 'code' => code, 'message' => text, 'data' => { 'class' => kind } })
end

LANES = { :read => Queue.new, :slow => Queue.new, :scan => Queue.new, :change => Queue.new }
WAITING = 500
$changing = 0
COUNTING = Mutex.new
{ :read => 8, :slow => 6, :scan => 4, :change => 8 }.each do |lane, threads|
  threads.times do
    Thread.new do
      loop do
        id, method, q, ttl, came = LANES[lane].pop
        COUNTING.synchronize { $changing += 1 } if lane == :change
        perform(id, method, q, ttl, came)
        COUNTING.synchronize { $changing -= 1 } if lane == :change
      end
    end
  end
end

def refuse(id, code, kind, text)
  write_line('jsonrpc' => '2.0', 'id' => id, 'error' => { 'code' => code, 'message' => text, 'data' => { 'class' => kind } })
end

STARTED = Time.now.to_f
$heard = STARTED
def receive(line)
  request = Json.load(line)
  return refuse(nil, -32600, 'hbase_ferry.BadRequest', 'a request is an object') unless request.is_a?(Hash)
  id, method, q = request['id'], request['method'].to_s, request['params'] || {}
  if method == 'ping'
    write_line('jsonrpc' => '2.0', 'id' => id, 'result' => { 'up_ms' => ((Time.now.to_f - STARTED) * 1000).to_i })
  elsif !METHODS.has_key?(method)
    refuse(id, -32601, 'hbase_ferry.UnknownMethod', "no method #{method}")
  elsif !q.is_a?(Hash)
    refuse(id, -32602, 'hbase_ferry.BadRequest', 'params must be an object')
  elsif LANES[METHODS[method][0]].size >= WAITING
    refuse(id, -32000, 'hbase_ferry.Busy', "#{WAITING} requests are waiting")
  else
    LANES[METHODS[method][0]] << [id, method, q, request['ttl'], Time.now.to_f]
  end
rescue ArgumentError => e
  refuse(nil, -32700, 'hbase_ferry.BadRequest', e.message)
end

# Nobody spoke for a long time: whoever started this is gone without closing its end.
Thread.new do
  loop do
    sleep [IDLE / 4, 5].min
    leave(0) if Time.now.to_f - $heard > IDLE && $changing == 0
  end
end

write_line('jsonrpc' => '2.0', 'method' => 'hello', 'params' => {
  'agent' => Digest::SHA256.hexdigest(File.open(__FILE__, 'rb') { |f| f.read })[0, 12],
  'pid' => File.readlink('/proc/self').to_i,
  'hbase_version' => CLIENT_VERSION, 'java_version' => java.lang.System.getProperty('java.version'), 'jruby_version' => JRUBY_VERSION })

while line = INPUT.readLine
  $heard = Time.now.to_f
  receive(line.to_s) unless line.to_s.strip.empty?
end

# What was begun is brought to its end: a peer of 1.x must not stay enabled between adding and disabling it.
LANES[:change].clear
600.times { break if $changing == 0; sleep 0.1 }
leave(0)
