#!/usr/bin/env python3
"""Puts requests.txt to real servers on the loopback address and writes what they answer to NAME/answers.txt.

    record.py FOLDER [NAME...]

FOLDER/bookworm, FOLDER/bullseye and FOLDER/trixie hold Debian's packages, unpacked with dpkg-deb -x, not installed:
nginx, nginx-common, nginx-core (bullseye), lighttpd, apache2, apache2-bin, apache2-data, and those of their libraries that this
machine lacks (for trixie libc6 as well). The servers run with Debian's default site, their files written at
1700000000, beside them a folder `assets` with one file, on high ports, and are ended by their process ids.
"""
import os,subprocess,sys,shutil,tempfile
import re,socket,struct,time
from concurrent.futures import ThreadPoolExecutor
W=tempfile.mkdtemp(prefix='chaff-http-'); os.chmod(W,0o755)
R=sys.argv[1]
def nginx(suite,port):
    d=f'{W}/nginx-{suite}'; shutil.rmtree(d,ignore_errors=True); os.makedirs(d+'/html')
    os.chmod(d,0o755)
    shutil.copy(f'{R}/{suite}/usr/share/nginx/html/index.html',d+'/html/index.nginx-debian.html')
    os.utime(d+'/html/index.nginx-debian.html',(1700000000,1700000000))
    tok='server_tokens off;' if suite=='trixie' else ''
    open(d+'/c','w').write(f'''user root; daemon off; worker_processes 1; pid {d}/pid; error_log {d}/err info;
events {{ worker_connections 768; }}
http {{ sendfile on; tcp_nopush on; types_hash_max_size 2048; {tok}
 include {R}/{suite}/etc/nginx/mime.types; default_type application/octet-stream; access_log off;
 client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
 gzip on;
 {"keepalive_timeout 65;" if suite=='bullseye' else ''}
 server {{ listen 127.0.0.1:{port} default_server; root {d}/html; index index.html index.htm index.nginx-debian.html; server_name _;
 location / {{ try_files $uri $uri/ =404; }} }} }}''')
    L=f'{R}/{suite}/usr/lib/x86_64-linux-gnu:{R}/{suite}/lib/x86_64-linux-gnu'
    cmd=[f'{R}/{suite}/usr/sbin/nginx','-c',d+'/c','-e',d+'/err']
    env=dict(os.environ)
    if suite=='trixie': cmd=[f'{R}/trixie/usr/lib64/ld-linux-x86-64.so.2','--library-path',L]+cmd
    elif suite=='bullseye': env['LD_LIBRARY_PATH']=L; cmd=cmd[:3]
    return subprocess.Popen(cmd,env=env)
MODS='mpm_event access_compat alias auth_basic authn_core authn_file authz_core authz_host authz_user autoindex deflate dir env filter mime negotiation reqtimeout setenvif status'.split()
def apache(port,suite='bookworm'):
    d=f'{W}/apache'; shutil.rmtree(d,ignore_errors=True); os.makedirs(d+'/html')
    shutil.copy(f'{R}/{suite}/usr/share/apache2/default-site/index.html',d+'/html/index.html')
    os.utime(d+'/html/index.html',(1700000000,1700000000))
    A=f'{R}/{suite}/etc/apache2'
    s=f'ServerRoot {A}\nDefaultRuntimeDir {d}\nPidFile {d}/pid\nMutex file:{d} default\n'
    s+=open(A+'/apache2.conf').read().split('# Include module configuration')[0].split('Timeout 300')[0] and ''
    s+='Timeout 300\nKeepAlive On\nMaxKeepAliveRequests 100\nKeepAliveTimeout 5\nUser www-data\nGroup www-data\nHostnameLookups Off\n'
    s+=f'ErrorLog {d}/err\nLogLevel warn\n'
    for m in MODS: s+=f'LoadModule {m}_module {R}/{suite}/usr/lib/apache2/modules/mod_{m}.so\n'
    for m in MODS:
        p=f'{A}/mods-available/{m}.conf'
        if os.path.exists(p): s+=open(p).read().replace('/etc/mime.types','/etc/mime.types')+'\n'
    s=s.replace('StartServers','#StartServers')
    s+=f'''Listen 127.0.0.1:{port}
<Directory />
Options FollowSymLinks
AllowOverride None
Require all denied
</Directory>
<Directory /usr/share>
AllowOverride None
Require all granted
</Directory>
<Directory {d}/html>
Options Indexes FollowSymLinks
AllowOverride None
Require all granted
</Directory>
AccessFileName .htaccess
<FilesMatch "^\\.ht">
Require all denied
</FilesMatch>
ServerTokens OS
ServerSignature On
TraceEnable Off
<VirtualHost *:{port}>
ServerAdmin webmaster@localhost
DocumentRoot {d}/html
</VirtualHost>
'''
    open(d+'/c','w').write(s)
    env=dict(os.environ,APACHE_RUN_DIR=d,APACHE_LOG_DIR=d,APACHE_LOCK_DIR=d)
    return subprocess.Popen([f'{R}/{suite}/usr/sbin/apache2','-f',d+'/c','-DFOREGROUND'],env=env)
def lighttpd(suite,port):
    d=f'{W}/lighttpd-{suite}'; shutil.rmtree(d,ignore_errors=True); os.makedirs(d+'/html'); os.makedirs(d+'/up')
    shutil.copy(f'{R}/{suite}/usr/share/lighttpd/index.html',d+'/html/index.lighttpd.html')
    os.utime(d+'/html/index.lighttpd.html',(1700000000,1700000000))
    # Debian's lighttpd.conf, with other folders, one address, and the types that a page here needs in place of all.
    text=open(f'{R}/{suite}/etc/lighttpd/lighttpd.conf').read()
    text=re.sub(r'(?m)^(include(_shell)?|server\.(username|groupname|port|pid-file|errorlog|document-root|upload-dirs))\b.*$','',text)
    text+=f'''
index-file.names += ( "index.lighttpd.html" )
mimetype.assign = ( ".html" => "text/html", ".css" => "text/css" )
server.port = {port}
server.bind = "127.0.0.1"
server.document-root = "{d}/html"
server.upload-dirs = ( "{d}/up" )
server.errorlog = "{d}/err"
server.pid-file = "{d}/pid"
'''
    open(d+'/c','w').write(text)
    return subprocess.Popen([f'{R}/{suite}/usr/sbin/lighttpd','-D','-f',d+'/c','-m',f'{R}/{suite}/usr/lib/lighttpd'])
def unesc(s):
    out=b''; i=0
    while i<len(s):
        c=s[i]
        if c=='\\':
            n=s[i+1]
            if n=='x': out+=bytes([int(s[i+2:i+4],16)]); i+=4; continue
            out+={'r':b'\r','n':b'\n','t':b'\t','0':b'\0','\\':b'\\'}[n]; i+=2; continue
        out+=c.encode(); i+=1
    return out
def rows(path):
    cur=None;res=[]
    for l in open(path):
        l=l.rstrip('\n')
        if l.startswith('#') and cur is None: continue
        if l.startswith('== '): cur=[l[3:],[]]; res.append(cur); continue
        if cur is None: continue
        cur[1].append(l)
    return res
def steps(lines,etag,mod):
    buf='' ; st=[]
    for l in lines:
        if l=='-- pause':
            st.append(unesc2(buf)); buf=''; st.append('pause')
        elif l=='-- fin':
            st.append(unesc2(buf)); buf=''; st.append('fin')
        else: buf+=l
    buf=buf.replace('{etag}',etag).replace('{modified}',mod)
    if buf: st.append(unesc2(buf))
    return st
def unesc2(b):
    return unesc(re.sub(r'\{([^{}]+)\*(\d+)\}',lambda m:m.group(1)*int(m.group(2)),b))
def talk(port,st):
    s=socket.create_connection(('127.0.0.1',port)); s.setsockopt(socket.IPPROTO_TCP,socket.TCP_NODELAY,1)
    out=b''; end='open'
    def read(t):
        nonlocal out,end
        s.settimeout(t)
        try:
            while True:
                d=s.recv(65536)
                if not d: end='fin'; return True
                out+=d
        except socket.timeout: return False
        except ConnectionResetError: end='rst'; return True
    for x in st:
        if x=='pause':
            if read(0.15): break
        elif x=='fin': s.shutdown(socket.SHUT_WR)
        else:
            try: s.sendall(x)
            except (BrokenPipeError,ConnectionResetError): pass
    if end=='open': read(0.6)
    s.close(); return out,end
def probe(port):
    o,_=talk(port,[b'HEAD / HTTP/1.0\r\n\r\n'])
    e=re.search(rb'ETag: (.*?)\r',o).group(1).decode(); m=re.search(rb'Last-Modified: (.*?)\r',o).group(1).decode()
    return e,m

HERE=os.path.dirname(os.path.abspath(__file__))
NAMES={'nginx-1.22.1-debian12':('nginx-bookworm/html/index.nginx-debian.html',18122,lambda p:nginx('bookworm',p)),
 'nginx-1.18.0-debian11':('nginx-bullseye/html/index.nginx-debian.html',18118,lambda p:nginx('bullseye',p)),
 'nginx-1.26.3-debian13':('nginx-trixie/html/index.nginx-debian.html',18126,lambda p:nginx('trixie',p)),
 'lighttpd-1.4.69-debian12':('lighttpd-bookworm/html/index.lighttpd.html',18128,lambda p:lighttpd('bookworm',p)),
 'apache-2.4.71-debian12':('apache/html/index.html',18124,apache)}
def show(octets,page):
    out=''
    for i,part in enumerate(octets.split(page)):
        if i: out+='{page}\n'
        out+=''.join(chr(c) if 32<=c<127 and c!=92 else {10:'\\n\n',13:'\\r',9:'\\t',92:'\\\\',0:'\\0'}.get(c,'\\x%02x'%c) for c in part)
    if out and not out.endswith('\n'): out+='\n'
    boundary=None; lines=[]
    for l in out.split('\n')[:-1]:
        if l.startswith('Date: '): l='Date: {date}\\r\\n'
        found=re.search(r'; boundary=(.*?)\\r',l)
        if found: boundary=found.group(1)
        if boundary: l=l.replace(boundary,'{boundary}')
        lines.append(l)
    return ''.join(l+'\n' for l in lines)
for name,(page,port,start) in NAMES.items():
    if sys.argv[2:] and name not in sys.argv[2:]: continue
    server=start(port)
    try:
        time.sleep(1.5)
        assets=f'{W}/{page.split("/")[0]}/html/assets'; os.makedirs(assets)
        with open(assets+'/site.css','w') as f: f.write('body { margin: 0 }\n')
        for p in (assets+'/site.css',assets): os.utime(p,(1700000000,1700000000))
        text=open(f'{W}/{page}','rb').read(); etag,modified=probe(port)
        table=rows(HERE+'/requests.txt')
        with ThreadPoolExecutor(12) as many: answers=list(many.map(lambda r:talk(port,steps(r[1],etag,modified)),table))
        os.makedirs(f'{HERE}/{name}',exist_ok=True)
        with open(f'{HERE}/{name}/answers.txt','w') as f:
            f.write(f'# What the real server answered to requests.txt. Made by: cargo xtask goldens http\n# port {port}\n')
            for (row,_),(octets,end) in zip(table,answers):
                # lighttpd's tag is a number that depends on the inode.
                shown=show(octets,text)
                if name.startswith('lighttpd'): shown=re.sub(r'ETag: "\d+"','ETag: {etag}',shown)
                f.write(f'\n== {row}\n{shown}-- {end}\n')
        print(name,len(answers))
    finally:
        server.terminate(); server.wait()
shutil.rmtree(W)
