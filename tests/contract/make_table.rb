# The contract's tables on a real server of any line: one of four regions, families d and m, 200 rows; and nine
# small ones beside it, the last of them disabled. Ruby 1.8 syntax.
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
def create(admin, name, families, splits)
  if admin.respond_to?(:listTableDescriptors)
    d = jc(HB + 'client.TableDescriptorBuilder').newBuilder(name)
    families.each { |f| d.setColumnFamily(jc(HB + 'client.ColumnFamilyDescriptorBuilder').newBuilder(b(f)).build) }
    d = d.build
  else
    d = jc(HB + 'HTableDescriptor').new(name)
    families.each { |f| d.addFamily(jc(HB + 'HColumnDescriptor').new(f)) }
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
  admin.disableTable(jc(HB + 'TableName').valueOf("#{space}:beside9"))
end
STDOUT.puts 'made'
STDOUT.flush
java.lang.System.exit(0)
