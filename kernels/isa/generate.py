#!/usr/bin/env python3
"""Compiles kernels/isa/table/*.tsv into the C++ tables of kernels/isa.

usage: generate.py TABLE_FOLDER OUTPUT_FOLDER

Writes names.inc (enumerators, included by the headers) and tables.inc (data, included by table.cpp).
The notation of the tables is described in kernels/isa/table/README.md.
"""

import re
import sys
from pathlib import Path

SLOTS = {'A': 'lda', 'B': 'ldb', 'S': 'st', 'X': 'alu', 'M': 'mv', 'L': 'lng', 'V': 'vec', 'N': 'nop'}
BYPASSES = {'': 'kNone', 'MOV': 'kMov', '?MOV': 'kMovIfVector', 'VEC': 'kVec'}
MODES = [(r'\[\$ptr, \$imm\]', 'kOffset'), (r'\[\$ptr, \$dj\]', 'kIndex'), (r'\[sp, \$imm\]', 'kStack'),
         (r'\.2d.*\[\$ptr\], \$mod', 'kPost2d'), (r'\.3d.*\[\$ptr\], \$mod', 'kPost3d'),
         (r'\[\$ptr\], \$mod', 'kPostRegister'), (r'\[\$ptr\], \$imm', 'kPostImmediate'),
         (r'\[sp\], \$imm', 'kStackAdjust'), (r'\[\$ptr\]', 'kPlain')]


class TableError(Exception):
    pass


def rows(folder, name):
    lines = (folder / name).read_text().splitlines()
    header = lines[0].split('\t')
    for number, line in enumerate(lines[1:], 2):
        cells = line.split('\t')
        if len(cells) != len(header):
            raise TableError(f'{name}:{number}: {len(cells)} columns, not {len(header)}')
        yield dict(zip(header, cells), where=f'{name}:{number}')


def constant(name):
    return 'k' + name[0].upper() + name[1:]


def expand_names(text):
    names = []
    for word in text.split():
        span = re.fullmatch(r'(\w+)\{(\d+)\.\.(\d+)\}', word)
        names += [f'{span[1]}{i}' for i in range(int(span[2]), int(span[3]) + 1)] if span else [word]
    return names


def mask_and_bits(pattern):
    mask = sum(1 << i for i, c in enumerate(reversed(pattern)) if c in '01')
    bits = sum(1 << i for i, c in enumerate(reversed(pattern)) if c == '1')
    return mask, bits


def quote(text):
    return '"' + text + '"'


class Registers:
    """Files, names, and the storage (atoms) that each register covers."""

    def __init__(self, folder):
        self.files = list(rows(folder, 'registers.tsv'))
        self.names = {f['file']: expand_names(f['names']) for f in self.files}
        self.first_atom = {}
        self.atoms = []
        for f in self.files:
            if f['parts'] == '-':
                self.first_atom[f['file']] = len(self.atoms)
                self.atoms += [(f['file'], i) for i in range(len(self.names[f['file']]))]
        self.by_name = {}
        for file, names in self.names.items():
            for index, name in enumerate(names):
                self.by_name.setdefault(name, (file, index))

    def atoms_of(self, file, index):
        row = next(f for f in self.files if f['file'] == file)
        if row['parts'] == '-':
            return [self.first_atom[file] + index]
        result = []
        for part in row['parts'].split():
            base, formula = re.fullmatch(r'(\w+)\[(.*)\]', part).groups()
            if formula == 'n^1':
                position = index ^ 1
            else:
                factor, offset = re.fullmatch(r'(\d*)n(?:\+(\d+))?', formula).groups()
                position = int(factor or 1) * index + int(offset or 0)
            result.append(self.first_atom[base] + position)
        return result

    def initializer(self, name):
        file, index = self.by_name[name]
        return f'{{RegisterFile::{constant(file)}, {index}}}'


def register_code(text, registers, where):
    """One `pattern=file+offset` of an operand class: the bits of the register index by letter."""
    decode_only = text.startswith('~')
    pattern, target = text.lstrip('~').split('=')
    mask, bits = mask_and_bits(pattern)
    places = [255] * 8
    for position, c in enumerate(reversed(pattern)):
        if c in 'abcdefgh':
            places['abcdefgh'.index(c)] = position
    if all(p == 255 for p in places):
        file, offset = registers.by_name[target]
    else:
        file, _, offset = target.partition('+')
        offset = int(offset or 0)
    if file not in registers.names:
        raise TableError(f'{where}: no register file {file}')
    return (f'{{{mask:#x}, {bits:#x}, {{{", ".join(map(str, places))}}}, '
            f'RegisterFile::{constant(file)}, {offset}, {"true" if decode_only else "false"}}}')


def cycles(text, where):
    """`<1>5VEC`: read at 1, written at 5 with bypass VEC."""
    read = write = 0
    read_bypass = write_bypass = ''
    for direction, cycle, bypass in re.findall(r'([<>])(\d+)(\??[A-Z]*)', text):
        if direction == '<':
            read, read_bypass = int(cycle), bypass
        else:
            write, write_bypass = int(cycle), bypass
    if re.sub(r'([<>])(\d+)(\??[A-Z]*)', '', text):
        raise TableError(f'{where}: cannot read the cycles {text!r}')
    return read, write, f'Bypass::{BYPASSES[read_bypass]}', f'Bypass::{BYPASSES[write_bypass]}'


def main():
    folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    registers = Registers(folder)
    names, tables = [], []

    def enumerate_to(names_list, type_name, storage, members):
        names_list.append(f'enum class {type_name} : {storage} {{')
        names_list.extend(f'    {m},' for m in members)
        names_list.append('};')
        names_list.append(f'inline constexpr std::size_t k{type_name}Count = {len(members)};')

    # Registers.
    enumerate_to(names, 'RegisterFile', 'std::uint8_t', [constant(f['file']) for f in registers.files])
    names.append(f'inline constexpr std::size_t kAtomCount = {len(registers.atoms)};')
    flat_atoms, register_names, file_rows = [], [], []
    for f in registers.files:
        count = len(registers.names[f['file']])
        parts = len(registers.atoms_of(f['file'], 0))
        file_rows.append(f'    {{{quote(f["file"])}, {f["bits"]}, {count}, {len(register_names)}, '
                         f'{len(flat_atoms)}, {parts}}},')
        for i in range(count):
            flat_atoms += registers.atoms_of(f['file'], i)
            register_names.append(registers.names[f['file']][i])
    tables.append('constexpr std::uint8_t kRegisterAtoms[] = {' + ', '.join(map(str, flat_atoms)) + '};')
    tables.append('constexpr std::string_view kRegisterNames[] = {' +
                  ', '.join(map(quote, register_names)) + '};')
    tables.append('constexpr Register kAtomRegisters[] = {' + ', '.join(
        f'{{RegisterFile::{constant(f)}, {i}}}' for f, i in registers.atoms) + '};')
    tables.append('constexpr FileRow kFiles[] = {')
    tables += file_rows + ['};']

    # Operand classes.
    codes, class_rows, class_index = [], [], {}
    for row in rows(folder, 'operands.tsv'):
        class_index[row['class']] = len(class_rows)
        kind = re.fullmatch(r'(signed|negative|unsigned|address)(?: x(\d+))?', row['codes'])
        first = len(codes)
        if not kind:
            codes += [register_code(c, registers, row['where']) for c in row['codes'].split()]
        class_rows.append(f'    {{{quote(row["class"])}, OperandKind::{constant(kind[1]) if kind else "kRegister"}, '
                          f'{row["bits"]}, {kind[2] or 1 if kind else 1}, {first}, {len(codes) - first}}},')
    tables.append('constexpr RegisterCode kCodes[] = {')
    tables += [f'    {c},' for c in codes] + ['};', 'constexpr OperandClass kOperandClasses[] = {']
    tables += class_rows + ['};']

    # Scheduling classes: memory cycles and ports.
    ports, port_uses, classes = [], [], {}
    for row in rows(folder, 'classes.tsv'):
        first = len(port_uses)
        for text in row['ports'].split():
            use = re.fullmatch(r'(~?)(\w+)@(\d+)(?:\.\.(\d+))?(?::(\d)=([\w|]+))?', text)
            if not use:
                raise TableError(f'{row["where"]}: cannot read the port {text!r}')
            if use[2] not in ports:
                ports.append(use[2])
            files = ' | '.join(f'bit(RegisterFile::{constant(f)})' for f in (use[6] or '').split('|') if f)
            port_uses.append(f'    {{Port::{use[2]}, {use[3]}, {use[4] or use[3]}, '
                             f'{"true" if use[1] else "false"}, {use[5] or 0}, {files or 0}}},')
        memory = [int(c) for c in row['memory_cycles'].split(',') if c]
        classes[row['class']] = (memory[0] if memory else 0, memory[-1] if memory else 0,
                                 first, len(port_uses) - first)
    enumerate_to(names, 'Port', 'std::uint8_t', ports)
    tables.append('constexpr std::string_view kPortNames[] = {' + ', '.join(map(quote, ports)) + '};')
    tables.append('constexpr PortUse kPortUses[] = {')
    tables += port_uses + ['};']

    # Operations.
    operands, implicits, operation_rows, ops, widths = [], [], [], [], {}
    slot_ranges = {}
    for row in rows(folder, 'operations.tsv'):
        pattern, where = row['pattern'], row['where']
        if widths.setdefault(row['slot'], len(pattern)) != len(pattern):
            raise TableError(f'{where}: {len(pattern)} bits in slot {row["slot"]}')
        mask, bits = mask_and_bits(pattern)
        first_operand, first_implicit = len(operands), len(implicits)
        for text in row['operands'].split():
            parsed = re.fullmatch(r'(\w+)=(\w):(\w+)(.*)', text)
            if not parsed or parsed[3] not in class_index or '$' + parsed[1] not in row['syntax']:
                raise TableError(f'{where}: cannot read the operand {text!r}')
            field = sum(1 << i for i, c in enumerate(reversed(pattern)) if c == parsed[2])
            read, write, read_bypass, write_bypass = cycles(parsed[4], where)
            operands.append(f'    {{{quote(parsed[1])}, {class_index[parsed[3]]}, {field:#x}, {read}, {write}, '
                            f'{read_bypass}, {write_bypass}}},')
        for text in row['implicit'].split():
            name, timing = re.fullmatch(r'(\w+)(.*)', text).groups()
            read, write, _, _ = cycles(timing, where)
            implicits.append(f'    {{{registers.initializer(name)}, {read}, {write}}},')
        mode = next((m for p, m in MODES if re.search(p, row['syntax'])), 'kNone')
        memory = {'': 'kNone', 'load': 'kLoad', 'store': 'kStore', 'rmw': 'kReadModifyWrite'}[row['memory']]
        first_cycle, last_cycle, first_port, port_count = classes.get(row['class'], (0, 0, 0, 0))
        if row['class'] and row['class'] not in classes:
            raise TableError(f'{where}: no class {row["class"]}')
        if memory == 'kNone':
            first_cycle = last_cycle = 0
        slot_ranges.setdefault(row['slot'], [len(ops), 0])[1] += 1
        if len(ops) != sum(slot_ranges[row['slot']]) - 1:
            raise TableError(f'{where}: the rows of slot {row["slot"]} are not together')
        ops.append(row['name'])
        operation_rows.append(
            f'    {{Slot::{constant(row["slot"])}, AddressMode::{mode}, Memory::{memory}, {first_cycle}, {last_cycle}, '
            f'{mask:#x}, {bits:#x}, {first_operand}, {len(operands) - first_operand}, {first_implicit}, '
            f'{len(implicits) - first_implicit}, {first_port}, {port_count}, {quote(row["name"])}, '
            f'{quote(row["syntax"].split()[0])}, {quote(row["syntax"])}, {quote(row["class"])}}},')
    enumerate_to(names, 'Slot', 'std::uint8_t', [constant(s) for s in SLOTS.values()])
    enumerate_to(names, 'Op', 'std::uint16_t', ops)
    tables.append('constexpr Operand kOperands[] = {')
    tables += operands + ['};', 'constexpr ImplicitOperand kImplicits[] = {'] + implicits
    tables += ['};', 'constexpr Operation kOperations[] = {'] + operation_rows + ['};']
    tables.append('constexpr SlotRow kSlots[] = {')
    tables += [f'    {{{quote(s)}, {widths[s]}, {slot_ranges[s][0]}, {slot_ranges[s][1]}}},' for s in SLOTS.values()]
    tables.append('};')

    # Bundle formats: slots most significant first, as the format's name has them.
    formats, format_rows, places = [], [], []
    for row in rows(folder, 'formats.tsv'):
        pattern = row['pattern']
        first = len(places)
        slots = list(dict.fromkeys(c for c in pattern if c in SLOTS))
        for letter in slots:
            offset = len(pattern) - 1 - pattern.rindex(letter)
            width = widths[SLOTS[letter]]
            if pattern.count(letter) != width or letter * width not in pattern:
                raise TableError(f'{row["where"]}: slot {letter} is not {width} bits together')
            places.append(f'    {{Slot::{constant(SLOTS[letter])}, {offset}}},')
        mask, bits = mask_and_bits(pattern)
        formats.append(row['name'])
        set_of = ' | '.join(f'bit(Slot::{constant(SLOTS[c])})' for c in slots)
        low, high = (1 << 64) - 1, 64
        format_rows.append(f'    {{{quote(row["name"])}, {len(pattern) // 8}, {set_of}, {first}, {len(slots)}, '
                           f'{{{mask & low:#x}, {mask >> high:#x}}}, {{{bits & low:#x}, {bits >> high:#x}}}}},')
    enumerate_to(names, 'Format', 'std::uint8_t', formats)
    tables.append('constexpr SlotPlace kPlaces[] = {')
    tables += places + ['};', 'constexpr FormatRow kFormats[] = {'] + format_rows + ['};']

    # Relocations: runs of value bits and where they land, counted from the bundle's lowest bit.
    relocation_rows = []
    for row in rows(folder, 'relocations.tsv'):
        runs = [tuple(map(int, r)) for r in re.findall(r'v\[(\d+):(\d+)\]->(\d+)', row['fields'])]
        cells = [f'{{{lo}, {hi - lo + 1}, {at}}}' for hi, lo, at in runs]
        data = 'true' if 'data' in row['use'] else 'false'
        relocation_rows.append(f'    {{{row["type"]}, {quote(row["name"])}, {row["bytes"]}, {data}, {len(cells)}, '
                               f'{{{{{", ".join(cells)}}}}}}},')
    tables.append('constexpr Relocation kRelocations[] = {')
    tables += relocation_rows + ['};']

    note = '// Made by kernels/isa/generate.py from kernels/isa/table; not to be edited.'
    output.mkdir(parents=True, exist_ok=True)
    (output / 'names.inc').write_text('\n'.join([note, *names, '']))
    (output / 'tables.inc').write_text('\n'.join([note, *tables, '']))


if __name__ == '__main__':
    try:
        main()
    except TableError as error:
        sys.exit(f'generate.py: {error}')
