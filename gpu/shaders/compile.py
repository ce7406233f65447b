#!/usr/bin/env python3
"""Compiles the modules of a table to SPIR-V, as C++ to be included; PTX, whose target is "ptx", is only preprocessed.

  gpu/shaders/compile.py SYSROOT TABLE OUTPUT     sources are beside TABLE

Uses the newer glslc that scripts/setup unpacked into SYSROOT, else the one on PATH. A module whose
extensions that one does not know is left out, and said to be: the library then does without it.
"""
import concurrent.futures
import os
import pathlib
import shutil
import struct
import subprocess
import sys


def find_glslc(sysroot):
    """The command, with the newer release's own loader and libraries where it is that."""
    libraries = sysroot.resolve() / "usr/lib/x86_64-linux-gnu"
    newer = sysroot.resolve() / "usr/bin/glslc"
    loader = libraries / "ld-linux-x86-64.so.2"
    if newer.exists() and loader.exists():
        return [str(loader), "--library-path", str(libraries), str(newer)]
    if shutil.which("glslc"):
        return ["glslc"]
    sys.exit("gpu/shaders: no glslc here: run make setup")


def preprocess(source, defines):
    """PTX is text to the driver: as words, with zeros at its end."""
    result = subprocess.run(["g++", "-E", "-P", "-undef", "-x", "c"] + ["-D" + define for define in defines] + [str(source)],
                            capture_output=True, check=True)
    text = result.stdout + bytes(4 - len(result.stdout) % 4)
    return ",".join(str(word) for (word,) in struct.iter_unpack("<I", text)) + "\n"


def compile_module(glslc, folder, row):
    """(name, words as text or None, what is missing)"""
    name, target, source, *defines = row
    if target == "ptx":
        return name, preprocess(folder / source, defines), None
    result = subprocess.run(glslc + ["--target-env=" + target, "-O", "-mfmt=num", "-o", "-"]
                            + ["-D" + define for define in defines] + [str(folder / source)],
                            capture_output=True, text=True)
    if result.returncode == 0:
        return name, result.stdout, None
    missing = [line.split(": ")[-1] for line in result.stderr.splitlines() if "extension not supported" in line]
    if not missing:
        sys.exit(f"gpu/shaders: {name}:\n{result.stderr}")
    return name, None, ", ".join(missing)


def constant(name):
    """coopmat_f16 -> kCoopmatF16"""
    return "k" + name.title().replace("_", "")


def main():
    sysroot, table, output = map(pathlib.Path, sys.argv[1:4])
    rows = [line.split() for line in table.read_text().splitlines() if not line.startswith("#")]
    glslc = find_glslc(sysroot)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        modules = list(pool.map(lambda row: compile_module(glslc, table.parent, row), rows))
    for name, words, missing in modules:
        if words is None:
            print(f"gpu/shaders: {name} is left out: {' '.join(glslc)} does not know {missing}", file=sys.stderr)
    compiled = [(name, words) for name, words, _ in modules if words is not None]
    text = "".join(f"constexpr std::uint32_t {constant(name)}[] = {{\n{words}}};\n" for name, words in compiled)
    text += "constexpr Module kModules[] = {\n" + "".join(f'    {{"{name}", {constant(name)}}},\n' for name, _ in compiled) + "};\n"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text)


if __name__ == "__main__":
    main()
