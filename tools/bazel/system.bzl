"""Debian's libraries as cc_library targets, by pkg-config."""

def words(text):
    """The space-separated words of `text`, none of them empty."""
    return [w for w in text.split(" ") if w]

def _pkg_config(rctx, tool, args):
    result = rctx.execute([tool] + args)
    if result.return_code != 0:
        fail("pkg-config %s failed; run tools/install.\n%s" % (" ".join(args), result.stderr))
    return result.stdout.strip()

def _keep_last(flags):
    """Drops all but the last of each -l flag, as static link order asks."""
    seen = {}
    kept = []
    for flag in reversed(flags):
        if flag.startswith("-l") and flag in seen:
            continue
        seen[flag] = True
        kept.append(flag)
    return list(reversed(kept))

def _cc_library(name, deps, linkopts, defines):
    return """
cc_library(
    name = %r,
    defines = %r,
    linkopts = %r,
    deps = %r,
)
""" % (name, defines, linkopts, deps)

def _pkg_config_repository_impl(rctx):
    tool = rctx.which("pkg-config")
    if not tool:
        fail("pkg-config is not installed; run tools/install")
    build = ["package(default_visibility = [\"//visibility:public\"])\n"]
    for name, module in rctx.attr.libs.items():
        cflags = words(_pkg_config(rctx, tool, ["--cflags", module]))
        libs = _keep_last(words(_pkg_config(rctx, tool, ["--libs", module])))
        unexpected = [c for c in cflags if not c.startswith("-D") and c != "-pthread"]
        if unexpected:
            fail("%s: pkg-config gives %s, but only -D and -pthread are handled" % (module, unexpected))
        defines = [c[2:] for c in cflags if c.startswith("-D")]
        build.append(_cc_library(name, rctx.attr.raw_deps.get(name, []), libs, defines))
    for name, flags in rctx.attr.raw.items():
        header = rctx.attr.probe.get(name)
        if header and not rctx.path("/usr/include/" + header).exists:
            fail("/usr/include/%s, which %s needs, is missing; run tools/install" % (header, name))
        build.append(_cc_library(name, rctx.attr.raw_deps.get(name, []), words(flags), []))
    rctx.file("BUILD", "".join(build))

pkg_config_repository = repository_rule(
    implementation = _pkg_config_repository_impl,
    attrs = {
        "libs": attr.string_dict(doc = "Target name -> pkg-config module."),
        "probe": attr.string_dict(doc = "Name in `raw` -> header that must exist."),
        "raw": attr.string_dict(doc = "Target name -> link flags, where there is no .pc file."),
        "raw_deps": attr.string_list_dict(doc = "Target name -> other targets of this repository."),
    },
    configure = True,
    environ = ["PKG_CONFIG_PATH"],
    local = True,
)
