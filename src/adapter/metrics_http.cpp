#include "adapter/metrics_http.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <charconv>

#include "base/names.hpp"

namespace causeway::adapter {
namespace {

constexpr std::string_view kPlain = "text/plain; charset=utf-8";

std::string_view reason_of(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 431:
            return "Request Header Fields Too Large";
        default:
            return "Service Unavailable";
    }
}

tl::unexpected<Error> bad_address(const std::string& text, const char* why) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no address for metrics: {}; write 127.0.0.1:9464 for this "
                            "host alone, or the numeric address of an interface with its port",
                            printable(text), why));
}

}  // namespace

std::optional<HttpRequest> parse_http(std::string_view bytes) {
    const std::size_t line_end = bytes.find('\n');
    // What cannot become a request any more is not waited for.
    const std::string_view begin = bytes.substr(0, line_end);
    for (const char c : begin) {
        if ((c < 0x20 && c != '\r') || c == 0x7f)
            return HttpRequest{HttpWish::bad_request};
    }
    if (bytes.find("\r\n\r\n") == std::string_view::npos &&
        bytes.find("\n\n") == std::string_view::npos) {
        if (bytes.size() >= kMostRequest)
            return HttpRequest{HttpWish::too_long};
        return std::nullopt;
    }
    std::string_view line = begin;
    if (!line.empty() && line.back() == '\r')
        line.remove_suffix(1);
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos ||
        !line.substr(second + 1).starts_with("HTTP/1."))
        return HttpRequest{HttpWish::bad_request};
    const std::string_view method = line.substr(0, first);
    const HttpBody body = method == "HEAD" ? HttpBody::none : HttpBody::whole;
    if (method != "GET" && method != "HEAD")
        return HttpRequest{HttpWish::bad_method};
    std::string_view path = line.substr(first + 1, second - first - 1);
    path = path.substr(0, path.find('?'));
    if (path == "/metrics")
        return HttpRequest{HttpWish::metrics, body};
    return HttpRequest{path == "/" ? HttpWish::home : HttpWish::not_found, body};
}

std::string http_response(int status, std::string_view type, std::string_view text, HttpBody body) {
    std::string out = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n",
        status, reason_of(status), type, text.size(), status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (body == HttpBody::whole)
        out += text;
    return out;
}

std::string http_answer(const HttpRequest& request) {
    switch (request.wish) {
        case HttpWish::home:
            return http_response(200, kPlain, "causewayd: see /metrics\n", request.body);
        case HttpWish::not_found:
            return http_response(404, kPlain, "there is /metrics, no more\n", request.body);
        case HttpWish::bad_method:
            return http_response(405, kPlain, "only GET and HEAD\n", request.body);
        case HttpWish::too_long:
            return http_response(431, kPlain, "the request is too long\n", request.body);
        case HttpWish::bad_request:
        case HttpWish::metrics:
            break;
    }
    return http_response(400, kPlain, "this is no HTTP/1 request\n", request.body);
}

Result<MetricsAddress> parse_metrics_address(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos)
        return bad_address(text, "a port or an address is missing");
    std::string host = text.substr(0, colon);
    if (host.empty() || host == "*")
        return bad_address(text, "it must say by which address it is to be reached");
    if (host == "localhost")
        host = "127.0.0.1";
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    MetricsAddress address;
    in_addr v4{};
    in6_addr v6{};
    if (!bracketed && ::inet_pton(AF_INET, host.c_str(), &v4) == 1)
        address.loopback = (ntohl(v4.s_addr) >> 24) == 127;
    else if (bracketed && ::inet_pton(AF_INET6, host.c_str(), &v6) == 1)
        address.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    else
        return bad_address(text, "the address is not numeric");
    address.host = host;
    const std::string_view port = std::string_view(text).substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc{} || end != port.data() + port.size() || port.empty())
        return bad_address(text, "the port is not a number from 0 to 65535");
    return address;
}

}  // namespace causeway::adapter
