# libxdna: one makefile. `make help` lists the targets.
#
# A library is a set of folders; a program is a file or folder of tools/; a suite is a folder of
# tests/. The three tables below say what each consists of and links; the rest is rules over them.
# A row whose sources do not exist yet is an error, so rows arrive together with their code.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.DEFAULT_GOAL := all

# --- variants --------------------------------------------------------------------------------
# SANITIZE=1 builds everything a second time with ASan and UBSan, FUZZ=1 a third time with clang
# and libFuzzer, each in a folder of its own.
ROOT_BUILD ?= build
SYSROOT    := $(ROOT_BUILD)/sysroot/usr/include
CXX        := $(if $(filter default,$(origin CXX)),g++,$(CXX))
AR         := $(if $(filter default,$(origin AR)),ar,$(AR))
OPTIMIZE   ?= -O2 -g1
ifdef FUZZ
BUILD    := $(ROOT_BUILD)/fuzz
CXX      := clang++
VARIANT  := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
else ifdef SANITIZE
BUILD    := $(ROOT_BUILD)/sanitize
# A C caller may pass any number for an enum: libxdna checks it, so that is no error of its own.
VARIANT  := -O0 -g1 -fsanitize=address,undefined -fno-sanitize=enum -fno-sanitize-recover=undefined \
            -fno-omit-frame-pointer
LDFLAGS  += -static-libasan -static-libubsan
else
BUILD    := $(ROOT_BUILD)
VARIANT  := $(OPTIMIZE)
endif

VERSION  := 0.1.0
SONAME   := libxdna.so.0
GPU_SONAME := libxdna-gpu.so.0
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
LIBDIR   ?= $(PREFIX)/lib
INCDIR   ?= $(PREFIX)/include
MANDIR   ?= $(PREFIX)/share/man

WARNINGS := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual \
            -Wcast-qual -Wformat=2 -Wundef -Wmissing-declarations -Wno-missing-field-initializers
CPPFLAGS += -Iinclude -I. -I$(ROOT_BUILD)/gen -I$(BUILD)/gen $(if $(wildcard $(SYSROOT)),-isystem $(SYSROOT) \
            -isystem $(SYSROOT)/x86_64-linux-gnu) -DXDNA_VERSION='"$(VERSION)"'
CXXFLAGS += -std=c++20 $(VARIANT) $(WARNINGS) -fPIC -fvisibility=hidden -pthread
LDFLAGS  += -pthread

# --- libraries: name, folders -----------------------------------------------------------------
LIBRARIES := xdna image isa as flow kernels array core firmware driver door pci support probe
xdna.folders     := libxdna
image.folders    := libxdna/image
isa.folders      := kernels/isa
as.folders       := kernels/as
flow.folders     := kernels/flow
kernels.folders  := kernels kernels/passthrough kernels/matmul kernels/attention
array.folders    := emu/array
core.folders     := emu/core
firmware.folders := emu/firmware
driver.folders   := emu/uapi/driver
door.folders     := emu/uapi
pci.folders      := emu/pci
support.folders  := tests/support
probe.folders    := $(addprefix tools/xdna-probe/,machine checks report command live)

# --- programs: name, libraries in link order -----------------------------------------------------
# What links libxdna links libdrm too, here and below.
PROGRAMS := xdna-probe xdna-run xdna-image xdna-as xdna-objdump xdna-emu xdna-emu-pci
xdna-probe.libs   := probe xdna image
xdna-run.libs     := kernels flow image xdna
xdna-image.libs   := image
xdna-as.libs      := as isa image
xdna-objdump.libs := as isa image
xdna-emu.libs     := door driver firmware core array isa image
xdna-emu-pci.libs := pci firmware core array isa image

# --- shared objects that are loaded into other programs: name, folders ----------------------------
# Built without sanitizers, exceptions and the C++ run-time library in every variant: it is a guest.
GUESTS := xdna-emu-door
xdna-emu-door.folders := emu/uapi/interposer
GUEST_FLAGS := -std=c++20 -O2 -g $(WARNINGS) -fPIC -fvisibility=hidden -fno-exceptions -fno-rtti \
               -ftls-model=initial-exec -U_FORTIFY_SOURCE -fno-delete-null-pointer-checks \
               -Wno-nonnull-compare

# --- test suites: folder under tests/, libraries in link order ----------------------------------
# Each folder is one GoogleTest program, build/tests/<folder with dashes>. <folder>.run is what it
# runs behind, such as the virtual NPU.
SUITES := unit/attention unit/xdna unit/image unit/isa unit/as unit/flow unit/array unit/core unit/driver unit/door unit/pci unit/probe \
          unit/kernels unit/bench \
          door conformance kernels silicon
unit/xdna.libs   := xdna support
unit/image.libs  := image
unit/isa.libs    := isa
unit/as.libs     := as isa image
unit/flow.libs   := kernels flow image
unit/attention.libs := kernels flow core as isa image
unit/array.libs  := array image
unit/core.libs   := core as isa image
unit/kernels.libs := kernels flow firmware core array as isa image
unit/driver.libs := driver firmware core array flow as isa image
unit/door.libs   := door driver firmware core array isa image
unit/pci.libs    := pci firmware core array isa image
unit/probe.libs  := probe xdna image
door.run          = $(BUILD)/bin/xdna-emu --
conformance.libs := xdna
conformance.run   = $(BUILD)/bin/xdna-emu --
kernels.libs     := kernels flow as isa xdna image
kernels.run       = $(BUILD)/bin/xdna-emu --
silicon.libs     := kernels flow as isa xdna image
silicon.run       = $(BUILD)/bin/xdna-emu --

# --- benchmarks: file of bench/, libraries in link order ------------------------------------------
BENCHES := array core xdna count_instructions kernels attention npu
ifneq ($(wildcard /usr/include/oneapi/dnnl/dnnl.h),)
BENCHES += cpu
bench/cpu.packages := -ldnnl
endif
bench/array.libs              := array image
bench/core.libs               := core as isa image
bench/attention.libs          := kernels flow firmware core array as isa image
bench/kernels.libs            := kernels flow firmware core array as isa image
bench/xdna.libs               := xdna image
bench/npu.libs                := kernels flow as isa xdna image
bench/count_instructions.libs := xdna image support

# --- suites in the lab (tests/lab/suites.py): those of `make test`, and all, the longest first ------
LAB_QUICK   := conformance handover containers
LAB_SUITES  := carveout older conformance faults xrt handover xrt-door containers
LAB         = tests/lab/lab --build $(BUILD)

# --- other checks: name, command (exit 0: passed, 77: skipped) -----------------------------------
CHECKS := format install uapi-coverage programs report probe xdna-run
format.command        := scripts/check-format
install.command       := scripts/check-install
uapi-coverage.command  = scripts/check-uapi-coverage --suite $(BUILD)/tests/conformance
programs.command       = tests/door/programs $(BUILD)/bin/xdna-emu
xdna-run.command       = tests/kernels/xdna-run $(BUILD)/bin/xdna-emu $(BUILD)/bin/xdna-run $(BUILD)/kernels
report.command         = tests/report/page && tests/report/quick $(ROOT_BUILD)
probe.command          = tests/probe/live $(BUILD)/bin/xdna-probe $(BUILD)/bin/xdna-emu

# --- the GPU module, where Vulkan's headers are new enough (scripts/setup sees to that) ---------------
VULKAN := $(shell grep -ls VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME $(SYSROOT)/vulkan/vulkan_core.h \
            /usr/include/vulkan/vulkan_core.h)
ifdef VULKAN
# Its suite is of the plain build in every variant, below.
LIBRARIES         += $(if $(SANITIZE),,gpu)
gpu.folders       := gpu
BENCHES           += gpu gpu_matmul handover
bench/gpu.libs    := support gpu
bench/gpu_matmul.libs := support gpu
bench/handover.libs := gpu kernels flow image xdna
# The suites are checks, of the plain build in every variant: most of what they run is a driver's own compiler and code.
GPU_SUITES        := gpu handover
gpu.libs          := support gpu
handover.libs     := gpu kernels flow image xdna
CHECKS            += gpu gpu-newer handover
gpu.command       := $(ROOT_BUILD)/tests/gpu
handover.command  := $(ROOT_BUILD)/bin/xdna-emu -- $(ROOT_BUILD)/tests/handover
gpu-newer.command := tests/gpu/newer $(ROOT_BUILD)/sysroot $(ROOT_BUILD)/tests/gpu
else
CHECKS            += gpu
gpu.command       := echo libxdna-gpu is not built, no Vulkan headers with VK_KHR_shader_bfloat16: run make setup; exit 77
endif

# --- fuzz targets: tests/fuzz/<name>.cpp, further sources, libraries in link order ----------------
# With FUZZ=1 each is build/fuzz/bin/<name>.
FUZZERS := image_aie_partition image_cdo image_control_elf image_dpu_sequence image_embedded_metadata \
           image_ert_packet image_pdi image_transaction image_xclbin
fuzz_image.sources := tests/unit/image/samples.cpp
fuzz_image.libs    := image
$(foreach f,$(filter image_%,$(FUZZERS)),$(eval $(f).sources := $(fuzz_image.sources))\
  $(eval $(f).libs := $(fuzz_image.libs)))
FUZZERS += ioctl
ioctl.libs := door driver firmware core array isa image
FUZZERS += isa_decode assemble as_elf core_program
core_program.libs := core isa image
isa_decode.libs := isa
assemble.libs   := as isa image
as_elf.libs     := as isa image

# --- packages -----------------------------------------------------------------------------------
pkg.libdrm.cflags := $(shell pkg-config --cflags libdrm 2>/dev/null)
pkg.libdrm.libs   := $(shell pkg-config --libs libdrm 2>/dev/null)
CPPFLAGS += $(subst -I,-isystem ,$(pkg.libdrm.cflags))

# --- rules --------------------------------------------------------------------------------------
Q := $(if $(V),,@)
quiet = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)';)

sources  = $(sort $(foreach d,$(1),$(wildcard $(d)/*.cpp)))
objects  = $(patsubst %.cpp,$(BUILD)/obj/%.o,$(1))
archive  = $(patsubst %,$(BUILD)/lib/lib%.a,$(1))
tool_sources = $(or $(wildcard tools/$(1).cpp),$(call sources,tools/$(1)))
suite_name   = $(subst /,-,$(1))
packages     = $(if $(filter xdna,$(1)),$(pkg.libdrm.libs))

ALL_LIBS     := $(call archive,$(LIBRARIES))
# The shared library is for installing: programs here link the archive, and sanitizers come with it.
ALL_SHARED   := $(if $(FUZZ)$(SANITIZE),,$(BUILD)/lib/libxdna.so $(if $(VULKAN),$(BUILD)/lib/libxdna-gpu.so))
ALL_GUESTS   := $(GUESTS:%=$(BUILD)/lib/lib%.so)
ALL_PROGRAMS := $(PROGRAMS:%=$(BUILD)/bin/%)
ALL_SUITES   := $(foreach s,$(SUITES),$(BUILD)/tests/$(call suite_name,$(s)))

.PHONY: all
all: $(ALL_LIBS) $(ALL_SHARED) $(ALL_GUESTS) $(ALL_PROGRAMS) $(BUILD)/kernels/.written ## build the libraries, programs and kernels

# --- generated tables ----------------------------------------------------------------------------
# The AIE2 instruction table, compiled from text; the same for every variant.
GENERATED := $(ROOT_BUILD)/gen/isa/names.inc

$(ROOT_BUILD)/gen/isa/names.inc: kernels/isa/generate.py $(wildcard kernels/isa/table/*.tsv)
	$(call quiet,GEN,$(@D))python3 kernels/isa/generate.py kernels/isa/table $(@D)

# The shaders, compiled to SPIR-V, as C++.
$(ROOT_BUILD)/gen/gpu/modules.inc: $(wildcard gpu/shaders/*) $(wildcard $(ROOT_BUILD)/sysroot/usr/bin/glslc)
	$(call quiet,GLSL,$(@D))gpu/shaders/compile.py $(ROOT_BUILD)/sysroot gpu/shaders/modules.tsv $@
$(BUILD)/obj/gpu/modules.o: $(ROOT_BUILD)/gen/gpu/modules.inc
$(ROOT_BUILD)/gen/bench/shaders.inc: $(wildcard bench/shaders/*) gpu/shaders/compile.py
	$(call quiet,GLSL,$(@D))gpu/shaders/compile.py $(ROOT_BUILD)/sysroot bench/shaders/modules.tsv $@
$(BUILD)/obj/bench/gpu.o: $(ROOT_BUILD)/gen/bench/shaders.inc

# Programs of cores, assembled and compiled in: kernels/F/N.s is included as "kernels/F/N.inc"; what
# programs share is in .asm files beside them.
CORE_PROGRAMS := $(foreach f,$(kernels.folders),$(patsubst %.s,$(BUILD)/gen/%.inc,$(wildcard $(f)/*.s)))

EMBED := $(ROOT_BUILD)/obj/kernels/embed/embed_program
ifneq ($(SANITIZE)$(FUZZ),)
# Scheduling a loop takes the sanitized assembler forty times as long; its tests are what run it.
$(EMBED): $(wildcard $(foreach d,kernels/embed kernels/as kernels/isa libxdna/image,$(d)/*.cpp $(d)/*.hpp))
	$(Q)$(MAKE) SANITIZE= FUZZ= $@
else
$(EMBED): $(call objects,$(call sources,kernels/embed)) $(call archive,as isa image)
	$(call quiet,LD,$@)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $^
endif

$(BUILD)/gen/%.inc: %.s $$(wildcard $$(dir $$*)*.asm) $(EMBED)
	@mkdir -p $(@D)
	$(call quiet,AS,$<)$(EMBED) $< >$@

$(BUILD)/gen/kernels/attention/%.inc: $(wildcard kernels/attention/*.asm)

$(call objects,$(call sources,$(kernels.folders))): | $(CORE_PROGRAMS)

# Kinds of source, and their flags. What is worth the optimizer's time: with sanitizers g++ takes two to three times
# as long over code that it also optimizes, so there only what the tests wait for is. A test runs once, and a tool's
# arguments are parsed once.
KIND = library
kind = $(foreach d,$(2),$(eval $(BUILD)/obj/$(d)/%.o: KIND := $(1)))
ifdef SANITIZE
# UBSan is for what is tested: in a test's own checks it is a quarter of their compile time. And what
# it checks at every use of a pointer is a third of it; the library and its parsers have that, too.
UNCHECKED     := -fno-sanitize=null,alignment,vptr
flags.model   := $(UNCHECKED)
flags.awaited := $(UNCHECKED) -O1
flags.test    := -fno-sanitize=undefined
$(call kind,model,emu kernels tools)
$(call kind,awaited,emu/array emu/core kernels/isa kernels/attention kernels/matmul)
$(BUILD)/obj/kernels/as/pipeline.o $(BUILD)/obj/kernels/as/hazard.o: KIND := awaited
else
# Loops over the simulated core's lanes become vector instructions.
flags.awaited := -O3
flags.tool    := -O1
flags.test    := -O0
$(call kind,awaited,emu/core)
$(call kind,tool,tools)
endif
$(call kind,test,tests)

# The standard library's headers are a third of what most files compile, GoogleTest half of what a test does: they are
# parsed once for each kind, since g++ takes what it made with the very same flags only. The builds of `make lint` and
# `make fuzz` have none, and so see what a file forgot to include.
ifndef FUZZ
PRECOMPILED   := $(BUILD)/obj/precompiled
PRECOMPILE     = -include $(PRECOMPILED)/$(KIND).hpp
STANDARD      := algorithm array bit cstdint cstdio cstring functional map memory optional set span stdexcept string \
                 string_view vector
headers.test  := gtest/gtest.h
PARSED_ONCE    = $(PRECOMPILED)/$(KIND).hpp.gch
export CCACHE_SLOPPINESS ?= pch_defines,time_macros
.SECONDARY: $(patsubst %,$(PRECOMPILED)/%.hpp.gch,library awaited model tool test)
$(PRECOMPILED)/%.hpp.gch:
	@mkdir -p $(@D)
	$(Q)printf '#include <%s>\n' $(STANDARD) $(headers.$*) >$(PRECOMPILED)/$*.hpp
	$(call quiet,CXX,$@)$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(flags.$*) -w -x c++-header -o $@ $(PRECOMPILED)/$*.hpp
endif

$(BUILD)/obj/%.o: %.cpp | $(GENERATED) $$(PARSED_ONCE)
	@mkdir -p $(@D)
	$(call quiet,CXX,$<)$(CXX) $(PRECOMPILE) $(CPPFLAGS) $(CXXFLAGS) $(flags.$(KIND)) -MMD -MP -c -o $@ $<

define library_rule
$(call archive,$(1)): $(call objects,$(call sources,$($(1).folders)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call quiet,AR,$$@)$(AR) rcs $$@ $$^
endef
$(foreach l,$(LIBRARIES),$(eval $(call library_rule,$(l))))

$(BUILD)/lib/libxdna.so.$(VERSION): $(call objects,$(call sources,$(xdna.folders))) libxdna/libxdna.map
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CXX) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs -Wl,-z,relro -Wl,-z,now \
	    -Wl,--version-script=libxdna/libxdna.map $(LDFLAGS) -o $@ $(filter %.o,$^) $(pkg.libdrm.libs)

$(BUILD)/lib/libxdna.so: $(BUILD)/lib/libxdna.so.$(VERSION)
	$(Q)ln -sf $(<F) $(@D)/$(SONAME)
	$(Q)ln -sf $(SONAME) $@

$(BUILD)/lib/libxdna-gpu.so.$(VERSION): $(call objects,$(call sources,$(gpu.folders)))
	@mkdir -p $(@D)
	$(call quiet,LD,$@)$(CXX) -shared -Wl,-soname,$(GPU_SONAME) -Wl,-z,defs -Wl,-z,relro -Wl,-z,now \
	    $(LDFLAGS) -o $@ $^

$(BUILD)/lib/libxdna-gpu.so: $(BUILD)/lib/libxdna-gpu.so.$(VERSION)
	$(Q)ln -sf $(<F) $(@D)/$(GPU_SONAME)
	$(Q)ln -sf $(GPU_SONAME) $@

$(BUILD)/guest/%.o: %.cpp
	@mkdir -p $(@D)
	$(call quiet,CXX,$<)$(CXX) $(CPPFLAGS) $(GUEST_FLAGS) -MMD -MP -c -o $@ $<

define guest_rule
$(BUILD)/lib/lib$(1).so: $(patsubst %.cpp,$(BUILD)/guest/%.o,$(call sources,$($(1).folders)))
	@mkdir -p $$(@D)
	$$(call quiet,LD,$$@)$(CXX) -shared -nodefaultlibs -Wl,-z,defs -Wl,-z,now -Wl,-soname,lib$(1).so -o $$@ $$^ -lc
endef
$(foreach g,$(GUESTS),$(eval $(call guest_rule,$(g))))

define program_rule
$(BUILD)/bin/$(1): $(call objects,$(call tool_sources,$(1))) $(call archive,$($(1).libs))
	@mkdir -p $$(@D)
	$$(call quiet,LD,$$@)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $$@ $$^ $(call packages,$($(1).libs))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

# Kernels: files that the build itself makes, NAME.pdi, NAME.xclbin and NAME.json.
$(BUILD)/kernels/.written: $(call objects,$(call sources,kernels/write)) $(call archive,kernels flow image)
	@mkdir -p $(@D)
	$(call quiet,LD,$(BUILD)/obj/kernels/write/write_kernels)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $(BUILD)/obj/kernels/write/write_kernels $^
	$(call quiet,GEN,$(@D))$(BUILD)/obj/kernels/write/write_kernels $(@D)
	@touch $@

define suite_rule
$(BUILD)/tests/$(call suite_name,$(1)): $(call objects,$(call sources,tests/$(1))) $(call archive,$($(1).libs))
	@mkdir -p $$(@D)
	$$(call quiet,LD,$$@)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $$@ $$^ $(call packages,$($(1).libs)) -lgtest -lgtest_main
endef
$(foreach s,$(SUITES) $(GPU_SUITES),$(eval $(call suite_rule,$(s))))

run_suites = $(foreach s,$(SUITES),'$(call suite_name,$(s))=$($(s).run) $(BUILD)/tests/$(call suite_name,$(s))')
run_checks = $(foreach c,$(CHECKS),'$(c)=$($(c).command)')

define bench_rule
$(BUILD)/bench/$(1): $(call objects,bench/$(1).cpp) $(call archive,$(bench/$(1).libs))
	@mkdir -p $$(@D)
	$$(call quiet,LD,$$@)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $$@ $$^ $(call packages,$(bench/$(1).libs)) $(bench/$(1).packages) -lbenchmark
endef
$(foreach b,$(BENCHES),$(eval $(call bench_rule,$(b))))

# What the report runs.
REPORT_BENCHES := $(filter xdna npu cpu gpu handover,$(BENCHES))

.PHONY: report-programs
report-programs: $(REPORT_BENCHES:%=$(BUILD)/bench/%) $(ALL_PROGRAMS) $(ALL_GUESTS)

.PHONY: bench
bench: ## NPU, GPU and CPU side by side: build/report/index.html (QUICK=1: small shapes; COMPARE=OLD.json)
	$(Q)scripts/setup $(ROOT_BUILD) bench
	$(Q)$(MAKE) $(PARALLEL) report-programs $(BENCHES:%=$(BUILD)/bench/%)
	$(Q)python3 bench/report --build $(BUILD) --out $(BUILD)/report $(if $(QUICK),--quick) \
	    $(if $(COMPARE),--compare $(COMPARE)) --model $(or $(MODEL),bench/report/models/qwen2.5-3b.json)

.PHONY: suites
suites: all $(ALL_SUITES) $(if $(SANITIZE),,$(GPU_SUITES:%=$(BUILD)/tests/%))

.PHONY: check
check: suites $(if $(SANITIZE),,report-programs) ## the fast tests, without a virtual machine
	$(Q)tests/run --jobs 2 $(run_suites) $(run_checks)

lab_rows = $(foreach s,$(1),'lab-$(s)=$(LAB) run $(s)')

.PHONY: lab-test
lab-test: ## every suite on an unmodified kernel and driver in QEMU, after setting up this machine
	$(Q)scripts/setup $(ROOT_BUILD) lab
	$(Q)$(LAB) fetch & fetch=$$!; $(MAKE) $(PARALLEL) lab-programs || { kill $$fetch; exit 1; }; wait $$fetch || [ $$? = 77 ]
	$(Q)tests/run --jobs $(shell expr 2 "*" $$(nproc)) --timeout 1200 $(call lab_rows,$(LAB_SUITES))

.PHONY: lab-programs
lab-programs: $(patsubst %,$(BUILD)/bin/%,xdna-probe xdna-run xdna-emu xdna-emu-pci) $(ALL_GUESTS) \
              $(BUILD)/kernels/.written $(BUILD)/tests/conformance gpu-suite

.PHONY: lab-quick
lab-quick: lab-programs
	$(Q)tests/run --jobs $(shell nproc) --timeout 1200 $(call lab_rows,$(LAB_QUICK))

.PHONY: lab-cost
lab-cost: lab-programs $(BUILD)/bench/count_instructions $(call archive,support) ## a command in user space, libxdna beside AMD's XRT
	$(Q)$(LAB) cost

.PHONY: lab-shell
lab-shell: lab-programs $(BUILD)/bin/xdna-image ## a shell in that guest, with the virtual NPU on its PCI bus
	$(Q)$(LAB) shell

.PHONY: gpu-suite
gpu-suite: $(GPU_SUITES:%=$(BUILD)/tests/%)

.PHONY: gpu-sweep
gpu-sweep: $(BUILD)/tests/gpu ## sizes 1 to 257 through every GPU kernel (long on a CPU's Vulkan)
	$(Q)XDNA_GPU_SWEEP=1 GTEST_TOTAL_SHARDS=13 tests/run --jobs $(shell nproc) --timeout 7200 $(foreach i,$(shell seq 0 12),\
	    'sweep-$(i)=env GTEST_SHARD_INDEX=$(i) $(BUILD)/tests/gpu --gtest_filter=*Sweep*')

.PHONY: install
install: all ## install below PREFIX (/usr/local), inside DESTDIR if that is set
	$(Q)install -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/pkgconfig $(INCDIR)/xdna)
	$(Q)install -m 644 $(wildcard include/xdna/*) $(DESTDIR)$(INCDIR)/xdna
	$(Q)install -m 644 $(BUILD)/lib/libxdna.a $(DESTDIR)$(LIBDIR)
	$(Q)install -m 755 $(BUILD)/lib/libxdna.so.$(VERSION) $(ALL_GUESTS) $(DESTDIR)$(LIBDIR)
	$(Q)ln -sf libxdna.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libxdna.so
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCDIR@|$(INCDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' libxdna/xdna.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/xdna.pc
	$(Q)$(if $(VULKAN),install -m 644 $(BUILD)/lib/libgpu.a $(DESTDIR)$(LIBDIR)/libxdna-gpu.a)
	$(Q)$(if $(VULKAN),install -m 755 $(BUILD)/lib/libxdna-gpu.so.$(VERSION) $(DESTDIR)$(LIBDIR))
	$(Q)$(if $(VULKAN),ln -sf libxdna-gpu.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(GPU_SONAME))
	$(Q)$(if $(VULKAN),ln -sf $(GPU_SONAME) $(DESTDIR)$(LIBDIR)/libxdna-gpu.so)
	$(Q)$(if $(VULKAN),sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCDIR@|$(INCDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' gpu/xdna-gpu.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/xdna-gpu.pc)
	$(Q)install -m 755 $(ALL_PROGRAMS) $(DESTDIR)$(BINDIR)
	$(Q)install -d $(DESTDIR)$(LIBDIR)/libxdna/kernels
	$(Q)install -m 644 $(BUILD)/kernels/* $(DESTDIR)$(LIBDIR)/libxdna/kernels
	$(Q)for page in $(wildcard docs/man/*.[1-9]); do \
	    install -D -m 644 "$$page" "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}"; done

.PHONY: check-install
check-install: all ## install into a scratch folder, and build and run programs against that
	$(Q)scripts/check-install

# The build itself runs as wide as the machine, unless the caller said how wide.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: test
test: setup ## every test, with AddressSanitizer and UBSan, after setting up this machine
	$(Q)scripts/setup $(ROOT_BUILD) test
	$(Q)$(MAKE) $(PARALLEL) all report-programs gpu-suite
	$(Q)$(MAKE) $(PARALLEL) SANITIZE=1 check
	$(Q)$(MAKE) $(PARALLEL) lab-quick

.PHONY: demo
demo: ## see a virtual NPU probed and at work, after setting up this machine
	$(Q)scripts/setup $(ROOT_BUILD) demo
	$(Q)$(MAKE) $(PARALLEL) demo-programs
	$(Q)scripts/demo $(BUILD)

.PHONY: demo-programs
demo-programs: $(patsubst %,$(BUILD)/bin/%,xdna-probe xdna-run xdna-emu) $(ALL_GUESTS) $(BUILD)/bench/attention $(BUILD)/kernels/.written

.PHONY: lint
lint: $(GENERATED) ## clang-format and clang-tidy over every source
	$(Q)scripts/setup $(ROOT_BUILD) lint
	$(Q)scripts/check-format
	$(Q)scripts/check-tidy $(CPPFLAGS) -std=c++20

define fuzzer_rule
$(BUILD)/bin/$(1): $(call objects,tests/fuzz/$(1).cpp $($(1).sources)) $(call archive,$($(1).libs))
	@mkdir -p $$(@D)
	$$(call quiet,LD,$$@)$(CXX) $(CXXFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $$@ $$^
endef
ifdef FUZZ
$(foreach f,$(FUZZERS),$(eval $(call fuzzer_rule,$(f))))
endif

FUZZ_SECONDS ?= 60
.PHONY: fuzzers
fuzzers: $(FUZZERS:%=$(BUILD)/bin/%)

.PHONY: run-fuzzers
run-fuzzers: $(FUZZERS:%=run-fuzzer-%)

# What was found interesting is kept in corpus/, what crashed beside it.
run-fuzzer-%: $(BUILD)/bin/%
	@mkdir -p $(BUILD)/corpus/$*
	$(Q)$(BUILD)/bin/$* -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=10 -rss_limit_mb=2048 \
	  -print_final_stats=0 -verbosity=0 -artifact_prefix=$(BUILD)/corpus/$*- $(BUILD)/corpus/$*
	@echo '  $*: $(FUZZ_SECONDS) s without a finding'

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZ_SECONDS (60) each
	$(Q)scripts/setup $(ROOT_BUILD) fuzz
	$(Q)$(MAKE) FUZZ=1 run-fuzzers

.PHONY: setup
setup: ## install what is missing (Debian packages; newer headers into build/sysroot)
	$(Q)scripts/setup $(ROOT_BUILD)

.PHONY: clean
clean: ## remove what was built (what was downloaded stays)
	rm -rf $(filter-out $(ROOT_BUILD)/sysroot $(ROOT_BUILD)/lab,$(wildcard $(ROOT_BUILD)/*))

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{ printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

-include $(shell find $(BUILD)/obj $(BUILD)/guest -name '*.d' 2>/dev/null)
