"""What somebody who means harm sends: names of hosts, origins, paths, and texts that would like to be markup."""

PORT = 8710
OURS = f"127.0.0.1:{PORT}"


def hosts(port: int) -> list[str]:
    """Hosts that are none of a studio's that listens to 127.0.0.1 at this port."""
    plain = [
        *("evil.com", "127.0.0.1.evil.com", "evil.com.127.0.0.1", "localhost.evil.com", "evil-localhost", "xlocalhost"),
        *("127.0.0.1.nip.io", "localtest.me", "0x7f000001", "0x7f.0.0.1", "2130706433", "017700000001", "127.1"),
        *("127.0.1", "0177.0.0.1", "127.000.000.001", "127.0.0.2", "0.0.0.0", "0", "[::1]", "[::]", "::1"),
        *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[::1%25lo]", "[127.0.0.1]", "localhost."),
        *("127.0.0.1.", "localhost.localdomain", "user@127.0.0.1", "localhost@evil", "user:pass@localhost", "*"),
        *("127.0.0.1%00", "127.0.0.1%2f", "http://127.0.0.1", "//127.0.0.1", "127.0.0.1,evil.com", "127.0.0.1;"),
        *("\u217cocalhost".encode().decode("latin-1"), "\uff11\uff12\uff17.0.0.1".encode().decode("latin-1"), "null"),
    ]
    whole = ["", " ", "?", "#", "/", ":", f":{port}", "127.0.0.1", "localhost", "127.0.0.1:", "127.0.0.1:80"]
    whole += [f"127.0.0.1:{port + 1}", f"127.0.0.1:0{port}", f"127.0.0.1:{port}0", f"127.0.0.1:+{port}"]
    whole += [f"127.0.0.1:{port}.evil.com", f"127.0.0.1:{port}@evil.com", f"127.0.0.1:{port}/", f"127.0.0.1:{port}#"]
    whole += [f"127.0.0.1:{port}?", f"127.0.0.1:{port}:{port}", f"127.0.0.1:{port},evil.com", f"127.0.0.1 :{port}"]
    whole += [f"127.0.0.1:{port}\\", f"127.0.0.1:{port + 2**16}", f"127.0.0.1:{port}e0", f"127.0.0.1\t:{port}"]
    return whole + [f"{name}:{port}" for name in plain] + ["evil.com"]


def origins(host: str) -> list[str]:
    """Origins that are none of a studio's that is asked under this host."""
    name, _, port = host.rpartition(":")
    return [
        *("", "null", "NULL", "*", "none", "undefined", "about:blank", "file://", "data:", "blob:", "http://"),
        *("http://evil.com", f"http://evil.com:{port}", f"http://{host}.evil.com", f"http://{name}.evil.com:{port}"),
        *(f"http://evil.com.{host}", f"http://evil-{host}", f"http://{name}:{int(port) + 1}", f"http://{name}:80"),
        *(f"http://{name}", f"https://{host}", f"ws://{host}", f"wss://{host}", f"ftp://{host}", f"file://{host}"),
        *(f"http:/{host}", f"http:{host}", f"http:///{host}", f"//{host}", host, f"HTTP://{host}", f"Http://{host}"),
        *(
            f"http://{host}/",
            f"http://{host}?",
            f"http://{host}#",
            f"http://{host}/x",
            f"http://{host} ",
            f" http://{host}",
        ),
        *(f"http://{host},http://evil.com", f"http://evil.com http://{host}", f"http://{host} http://{host}"),
        *(f"http://a@{host}", f"http://a:b@{host}", f"http://{host}@evil.com", f"http://{host}\\@evil.com"),
        *(f"http://0{host}", f"http://{name}:0{port}", f"http://[::1]:{port}", f"http://{name}.:{port}"),
        *(f"http://2130706433:{port}", f"http://localhost.evil.com:{port}", f"chrome-extension://{host}"),
        *(f"http://0x7f000001:{port}", f"http://127.1:{port}", f"http://{host}%00", f"http://{host}\t"),
    ]


def paths() -> list[str]:
    """What is put where a name or a number belongs: some 400 ways to somewhere else."""
    goals = ["gate.py", "etc/passwd", "canary.txt", "canary.png", "manifest.json", "static/app.css", "key"]
    ups = [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "%25252e%25252e",
        "..;",
        "..%00",
        "..%20",
        "...",
        "....",
        "...",
    ]
    ups += ["%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%uff0e%uff0e", "\uff0e\uff0e".encode().decode("latin-1"), "..%09"]
    ups += ["\u2025".encode().decode("latin-1"), "%ef%bc%8e%ef%bc%8e", "..%0d%0a", ".."]
    slashes = ["/", "%2f", "%252f", "%5c", "\\", "%255c", "%c0%af", "%e0%80%af", "//", "/./", "%2f%2f"]
    found = [f"{up}{slash}{goal}" for up in ups for slash in slashes[:6] for goal in goals[:2]]
    found += [f"{up}{slash}" * depth + "etc/passwd" for up in ups[:4] for slash in slashes for depth in (1, 3, 9)]
    roots = [
        "/etc/passwd",
        "//etc/passwd",
        "%2fetc%2fpasswd",
        "C:%5cwindows%5cwin.ini",
        "C:/windows",
        "c:",
        "%5c%5ca%5cb",
    ]
    roots += ["file:///etc/passwd", "file:%2f%2f/etc/passwd", "http:%2f%2fevil.com", "~", "~root", "%7eroot", "$HOME"]
    odd = ["%00", "app.css%00", "app.css%00.png", "app.css/", "app.css/.", "app.css::$DATA", "app.css:a", "APP~1.CSS"]
    odd += ["APP.CSS", "app.css%20", "app.css.", "app.css%0a", "a" * 4096, "%61" * 1300, ".", "%2e", "-1", "+1", "0x0"]
    odd += [
        "1e3",
        "1.0",
        "0%00",
        "NaN",
        "9" * 400,
        "\u0661".encode().decode("latin-1"),
        "%d9%a1",
        "1;2",
        "1%2f2",
        "{run}",
    ]
    odd += ["%", "%g0", "%f", "'", '"', "<b>", "..%2f" * 200, "*", "?", "|", "con", "nul", "lpt1", "__proto__", "None"]
    found += roots + odd + [f"{root}{end}" for root in roots for end in ("%00", "%00.png", "/.", "%23")]
    return list(dict.fromkeys(found))


SCRIPT = "window.injected=1;alert(1)"


def texts() -> list[str]:
    """What would be markup or a script wherever text is taken for it; without slashes, which folders cannot have."""
    tags = [
        *("<script>{0}<\u2044script>", "<ScRiPt>{0}", '"><script>{0}', "'><script>{0}", "<script src=data:,{0}>"),
        *(
            "<img src=x onerror={0}>",
            '"><img src=x onerror="{0}">',
            "<img src=x onerror='{0}'>",
            "<img src=`x`onerror={0}>",
        ),
        *(
            "<IMG SRC=x ONERROR={0}>",
            "<img\tsrc=x\tonerror={0}>",
            "<img\nsrc=x\nonerror={0}>",
            "<img src=x:x onerror={0}>",
        ),
        *(
            "<svg onload={0}>",
            "<svg><script>{0}",
            "<svg><animate onbegin={0} attributeName=x dur=1s>",
            "<svg><a><text>x",
        ),
        *("<body onload={0}>", "<body onpageshow={0}>", "<iframe srcdoc='<script>parent.{0}'>", "<iframe onload={0}>"),
        *(
            "<iframe src=javascript:{0}>",
            "<embed src=javascript:{0}>",
            "<object data=javascript:{0}>",
            "<base href=x:>",
        ),
        *("<input autofocus onfocus={0}>", "<select autofocus onfocus={0}>", "<textarea autofocus onfocus={0}>"),
        *(
            "<video onerror={0}><source>",
            "<audio src=x onerror={0}>",
            "<details open ontoggle={0}>",
            "<marquee onstart={0}>",
        ),
        *(
            "<math><mtext><script>{0}",
            "<style>@import 'x'",
            "<style onload={0}>",
            "<link rel=stylesheet href=x onerror={0}>",
        ),
        *(
            "<meta http-equiv=refresh content='0;url=javascript:{0}'>",
            "<form><button formaction=javascript:{0}>",
            "<a href=x>",
        ),
        *("<template><script>{0}", "<noscript><img src=x onerror={0}>", "<xmp><img src=x onerror={0}>", "<plaintext>"),
        *(
            "<title><img src=x onerror={0}>",
            "<textarea><img src=x onerror={0}>",
            "<!--><img src=x onerror={0}>-->",
            "<![CDATA[",
        ),
        *(
            "<x onclick={0} id=x>",
            "<x contenteditable onfocus={0} autofocus>",
            "<p style=animation-name:turn onanimationstart={0}>",
        ),
        *(
            "<dialog open onclose={0}>",
            "<slot onslotchange={0}>",
            "<table background=javascript:{0}>",
            "<isindex action=x:>",
        ),
    ]
    plain = [
        *(
            '" onmouseover="{0}" x="',
            "' onmouseover='{0}' x='",
            "` onmouseover={0} `",
            '" autofocus onfocus="{0}',
            "javascript:{0}",
        ),
        *(
            "JaVaScRiPt:{0}",
            "java\tscript:{0}",
            "data:text,<script>{0}",
            "vbscript:{0}",
            "';{0};'",
            '";{0};"',
            "`;{0};`",
        ),
        *(
            "${{{0}}}",
            "{{{{{0}}}}}",
            "#{{{0}}}",
            "<%= {0} %>",
            "[[{0}]]",
            "{{{{constructor.constructor('{0}')()}}}}",
            "\\u003cscript\\u003e{0}",
        ),
        *(
            "&lt;script&gt;{0}",
            "&#60;img src=x onerror={0}&#62;",
            "%3Cscript%3E{0}",
            "+ADw-script+AD4-{0}",
            "\ufeff<script>{0}",
        ),
        *(
            "__proto__",
            "constructor",
            "toString",
            "\u202e<script>{0}",
            "a b",
            "..",
            "onerror={0}",
            "]]>",
            "-->",
            "\u2028{0}",
        ),
    ]
    return [text.format(SCRIPT) for text in tags + plain]
