#include "libxdna/image/embedded_metadata.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace xdna::image {
namespace {

constexpr std::string_view kContainer = "EMBEDDED_METADATA";
constexpr size_t kMaxDepth = 32;

struct Element {
    std::string name;
    size_t offset = 0;
    std::map<std::string, std::string, std::less<>> attributes;
};

// The subset of XML that metadata uses: elements and attributes. Text, comments, CDATA and
// processing instructions are skipped; document type declarations are refused.
class XmlReader {
  public:
    explicit XmlReader(ByteView bytes)
        : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}

    // Calls open(element, path) at each start tag, `path` being the names of the elements around
    // it, and close(path) at each end tag.
    template <typename Open, typename Close>
    void read(Open&& open, Close&& close);

  private:
    [[noreturn]] void fail(std::string_view field, std::string_view problem) const {
        const uint64_t value = at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : 0;
        throw FormatError(kContainer, at_, field, value, problem);
    }
    bool starts(std::string_view token) const { return text_.substr(at_).starts_with(token); }
    bool skip(std::string_view token) {
        const bool found = starts(token);
        at_ += found ? token.size() : 0;
        return found;
    }
    void skip_past(std::string_view token, std::string_view field) {
        const size_t found = text_.find(token, at_);
        if (found == std::string_view::npos) {
            fail(field, "not closed");
        }
        at_ = found + token.size();
    }
    void skip_space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) {
            ++at_;
        }
    }
    std::string name();
    std::string attribute_value();
    Element element(bool& closed);

    std::string_view text_;
    size_t at_ = 0;
};

std::string XmlReader::name() {
    const size_t begin = at_;
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n/>=<\"'&").find(text_[at_]) == text_.npos) {
        ++at_;
    }
    if (at_ == begin) {
        fail("name", "expected a name");
    }
    return std::string(text_.substr(begin, at_ - begin));
}

std::string XmlReader::attribute_value() {
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '"' && quote != '\'') {
        fail("attribute", "expected a quoted value");
    }
    ++at_;
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
        if (text_[at_] == '<') {
            fail("attribute", "'<' inside a value");
        }
        if (text_[at_] != '&') {
            value += text_[at_++];
            continue;
        }
        constexpr std::pair<std::string_view, char> kEntities[] = {
            {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
        const auto* entity = std::find_if(std::begin(kEntities), std::end(kEntities),
                                          [&](const auto& e) { return skip(e.first); });
        if (entity == std::end(kEntities)) {
            fail("attribute", "not a known entity");
        }
        value += entity->second;
    }
    if (at_ == text_.size()) {
        fail("attribute", "not closed");
    }
    ++at_;
    return value;
}

Element XmlReader::element(bool& closed) {
    Element e;
    e.offset = at_;
    e.name = name();
    for (;;) {
        skip_space();
        closed = skip("/>");
        if (closed || skip(">")) {
            return e;
        }
        std::string key = name();
        skip_space();
        if (!skip("=")) {
            fail("attribute", "expected '='");
        }
        skip_space();
        e.attributes[std::move(key)] = attribute_value();
    }
}

template <typename Open, typename Close>
void XmlReader::read(Open&& open, Close&& close) {
    std::vector<std::string> path;
    while (at_ < text_.size()) {
        if (text_[at_] != '<') {
            ++at_;
        } else if (skip("<?")) {
            skip_past("?>", "processing instruction");
        } else if (skip("<!--")) {
            skip_past("-->", "comment");
        } else if (skip("<![CDATA[")) {
            skip_past("]]>", "CDATA");
        } else if (starts("<!")) {
            fail("declaration", "document types are not read");
        } else if (skip("</")) {
            const std::string ended = name();
            skip_space();
            if (path.empty() || path.back() != ended || !skip(">")) {
                fail("end tag", "</" + ended + "> closes nothing");
            }
            path.pop_back();
            close(path);
        } else {
            ++at_;
            bool closed = false;
            const Element e = element(closed);
            if (path.size() == kMaxDepth) {
                fail("element", "nested too deeply");
            }
            open(e, path);
            if (closed) {
                close(path);
            } else {
                path.push_back(e.name);
            }
        }
    }
    if (!path.empty()) {
        fail("element", "<" + path.back() + "> is not closed");
    }
}

std::string text(const Element& e, std::string_view attribute) {
    const auto found = e.attributes.find(attribute);
    return found == e.attributes.end() ? std::string() : found->second;
}

std::optional<uint32_t> number(const Element& e, std::string_view attribute) {
    const std::string value = text(e, attribute);
    if (value.empty()) {
        return std::nullopt;
    }
    const bool hexadecimal = value.starts_with("0x") || value.starts_with("0X");
    const char* begin = value.data() + (hexadecimal ? 2 : 0);
    const char* end = value.data() + value.size();
    uint32_t result = 0;
    const auto [stop, error] = std::from_chars(begin, end, result, hexadecimal ? 16 : 10);
    if (error != std::errc{} || stop != end) {
        throw FormatError(kContainer, e.offset, e.name + " " + std::string(attribute),
                          static_cast<unsigned char>(value[0]),
                          "\"" + value.substr(0, 32) + "\" is not a number");
    }
    return result;
}

std::string escape(std::string_view value) {
    std::string out;
    for (const char c : value) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&apos;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string two_digits(uint32_t value) {  // "0x08"
    std::string digits = hex(value);
    return digits.size() == 3 ? "0x0" + digits.substr(2) : digits;
}

std::string attribute(std::string_view name, std::string_view value) {
    return " " + std::string(name) + "=\"" + escape(value) + "\"";
}

}  // namespace

EmbeddedMetadata parse_embedded_metadata(ByteView section) {
    // xclbinutil's sections may end in NULs.
    while (!section.empty() && section.back() == 0) {
        section = section.first(section.size() - 1);
    }
    const std::vector<std::string> core = {"project", "platform", "device", "core"};
    EmbeddedMetadata metadata;
    KernelMetadata* kernel = nullptr;
    const auto open = [&](const Element& e, const std::vector<std::string>& path) {
        if (e.name == "kernel" && path == core) {
            kernel = &metadata.kernels.emplace_back();
            kernel->name = text(e, "name");
            kernel->language = text(e, "language");
            kernel->type = text(e, "type");
            return;
        }
        if (kernel == nullptr || path.size() != core.size() + 1) {
            return;
        }
        if (e.name == "extended-data") {
            kernel->extended = {number(e, "subtype").value_or(0),
                                number(e, "functional").value_or(0),
                                number(e, "dpu_kernel_id").value_or(0)};
        } else if (e.name == "instance") {
            kernel->instances.push_back(text(e, "name"));
        } else if (e.name == "arg") {
            KernelArgument& arg = kernel->arguments.emplace_back();
            arg.name = text(e, "name");
            arg.qualifier = number(e, "addressQualifier").value_or(0);
            arg.id = number(e, "id");
            arg.size = number(e, "size").value_or(0);
            arg.offset = number(e, "offset").value_or(0);
            arg.type = text(e, "type");
        }
    };
    const auto close = [&](const std::vector<std::string>& path) {
        if (path == core) {
            kernel = nullptr;
        }
    };
    XmlReader(section).read(open, close);
    return metadata;
}

Bytes serialize(const EmbeddedMetadata& metadata) {
    std::string out =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
        "<project>\n"
        "  <platform>\n"
        "    <device>\n"
        "      <core>\n";
    for (const KernelMetadata& k : metadata.kernels) {
        out += "        <kernel" + attribute("name", k.name) + attribute("language", k.language) +
               attribute("type", k.type) + ">\n";
        if (k.extended) {
            out += "          <extended-data" +
                   attribute("subtype", std::to_string(k.extended->subtype)) +
                   attribute("functional", std::to_string(k.extended->functional)) +
                   attribute("dpu_kernel_id", hex(k.extended->dpu_kernel_id)) + "/>\n";
        }
        for (const KernelArgument& a : k.arguments) {
            out += "          <arg" + attribute("name", a.name) +
                   attribute("addressQualifier", std::to_string(a.qualifier)) +
                   attribute("id", a.id ? std::to_string(*a.id) : "") +
                   attribute("size", hex(a.size)) + attribute("offset", two_digits(a.offset)) +
                   attribute("hostOffset", "0x0") + attribute("hostSize", hex(a.size)) +
                   attribute("type", a.type) + "/>\n";
        }
        for (const std::string& instance : k.instances) {
            out += "          <instance" + attribute("name", instance) + "/>\n";
        }
        out += "        </kernel>\n";
    }
    out +=
        "      </core>\n"
        "    </device>\n"
        "  </platform>\n"
        "</project>\n";
    return {out.begin(), out.end()};
}

}  // namespace xdna::image
