# The contract's tables on a real server of any line: one of four regions, families d and m, 200 rows; and nine
# small ones beside it, the last of them disabled; and `rows`, of several versions and strange cells. Ruby 1.8 syntax.
require 'java'
HB = 'org.apache.hadoop.hbase.'
def jc(n)
  JavaUtilities.get_proxy_class(n)
end
BYTES = jc(HB + 'util.Bytes')
def b(s)
  BYTES.toBytes(s.to_java(:string))
end
conf = jc(HB + 'HBaseConfiguration').create
connection = jc(HB + 'client.ConnectionFactory').createConnection(conf)
admin = connection.getAdmin
name = jc(HB + 'TableName').valueOf(ARGV[0])
space = name.getNamespaceAsString
unless admin.listNamespaceDescriptors.any? { |d| d.getName == space }
  admin.createNamespace(jc(HB + 'NamespaceDescriptor').create(space).build)
end
def create(admin, name, families, splits, versions = 1)
  if admin.respond_to?(:listTableDescriptors)
    d = jc(HB + 'client.TableDescriptorBuilder').newBuilder(name)
    families.each { |f| d.setColumnFamily(jc(HB + 'client.ColumnFamilyDescriptorBuilder').newBuilder(b(f)).setMaxVersions(versions).build) }
    d = d.build
  else
    d = jc(HB + 'HTableDescriptor').new(name)
    families.each { |f| d.addFamily(jc(HB + 'HColumnDescriptor').new(f).setMaxVersions(versions)) }
  end
  splits ? admin.createTable(d, splits) : admin.createTable(d)
end
unless admin.tableExists(name)
  create(admin, name, %w(d m), [b('r0050'), b('r0100'), b('r0150')].to_java(Java::byte[]))
  table = connection.getTable(name)
  rows = java.util.ArrayList.new
  200.times do |i|
    put = jc(HB + 'client.Put').new(b(sprintf('r%04d', i)))
    put.addColumn(b('d'), b('q'), b("v#{i}"))
    rows.add(put)
  end
  table.put(rows)
  table.close
  threads = (1..9).map do |i|
    Thread.new { create(connection.getAdmin, jc(HB + 'TableName').valueOf("#{space}:beside#{i}"), %w(f), nil) }
  end
  threads.each { |t| t.join }
  rows_name = jc(HB + 'TableName').valueOf("#{space}:rows")
  create(admin, rows_name, %w(f g), nil, 3)
  table = connection.getTable(rows_name)
  cells = [["\x00\xff", 'f', '', 1, ''], ['times', 'f', 't', 9223372036854775806, 'x'], ['times', 'f', 't', 5, 'y'],
           ['times', 'f', 't', 0, 'z'], ['times', 'g', "\xfe", 7, "\x80"], ['versions', 'f', 'v', 10, 'a'],
           ['versions', 'f', 'v', 20, 'b'], ['versions', 'f', 'v', 30, 'c'], ['z', 'g', 'q', 1, 'end']]
  60.times { |i| cells << ['wide', 'f', sprintf('%02d', i), 1, 'w' * 10_000] }
  cells.each do |row, f, q, time, value|
    put = jc(HB + 'client.Put').new(row.to_java_bytes)
    put.addColumn(f.to_java_bytes, q.to_java_bytes, time, value.to_java_bytes)
    table.put(put)
  end
  table.delete(jc(HB + 'client.Delete').new(b('versions')).addColumn(b('f'), b('v'), 20))
  table.close
  admin.disableTable(jc(HB + 'TableName').valueOf("#{space}:beside9"))
end
STDOUT.puts 'made'
STDOUT.flush
java.lang.System.exit(0)
