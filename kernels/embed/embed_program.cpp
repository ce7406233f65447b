// Assembles a core's program and writes it as C++: a step of the build. The text is kCode, the
// bytes of program memory from 0, and every number that the source names kSomething with .equ, so
// that addresses and locks stand in one place, the source.
#include <cctype>
#include <fstream>
#include <iostream>
#include <iterator>

#include "kernels/as/assembler.hpp"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: embed_program FILE.s\n";
        return 3;
    }
    const std::string path = argv[1];
    std::ifstream file(path);
    const std::string source{std::istreambuf_iterator<char>(file), {}};
    if (!file) {
        std::cerr << path << ": cannot be read\n";
        return 1;
    }
    using namespace xdna::as;
    Diagnostics diagnostics;
    Options options;
    options.include_folders = {std::filesystem::path(path).parent_path()};
    const auto object = assemble(path, source, options, diagnostics);
    for (const Diagnostic& diagnostic : diagnostics.list()) {
        std::cerr << format(diagnostic);
    }
    if (!object) {
        return 1;
    }
    try {
        std::cout << "// Made from " << path << ".\ninline constexpr uint8_t kCode[] = {";
        for (const uint8_t byte : flat_program(link(*object))) {
            std::cout << unsigned{byte} << ",";
        }
        std::cout << "};\n";
    } catch (const ObjectError& error) {
        std::cerr << path << ": " << error.what() << "\n";
        return 1;
    }
    for (const ObjectSymbol& symbol : object->symbols) {
        if (symbol.absolute && symbol.name.size() > 1 && symbol.name[0] == 'k' &&
            std::isupper(static_cast<unsigned char>(symbol.name[1]))) {
            std::cout << "inline constexpr uint32_t " << symbol.name << " = " << symbol.value
                      << ";\n";
        }
    }
    return std::cout.flush() ? 0 : 1;
}
