// As much of HTTP as a scraper needs: GET, one request per connection.
//
// Threading: pure functions.
// Invariant: nothing of a request is kept or echoed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace causeway::adapter {

inline constexpr std::size_t kMostRequest = 8192;  // bytes, with all headers

enum class HttpWish {
    metrics,      // GET /metrics
    home,         // GET /
    not_found,    // any other path
    bad_method,   // neither GET nor HEAD
    bad_request,  // no HTTP
    too_long,     // kMostRequest bytes without an end
};
enum class HttpBody { whole, none };  // none: it was HEAD

struct HttpRequest {
    HttpWish wish = HttpWish::bad_request;
    HttpBody body = HttpBody::whole;
};
// What has come so far; none: it is not all there yet.
[[nodiscard]] std::optional<HttpRequest> parse_http(std::string_view bytes);

[[nodiscard]] std::string http_response(int status, std::string_view type, std::string_view text,
                                        HttpBody body);
// The answer to everything but HttpWish::metrics.
[[nodiscard]] std::string http_answer(const HttpRequest& request);

struct MetricsAddress {
    std::string host;  // numeric: IPv4, or IPv6 without brackets
    std::uint16_t port = 0;
    bool loopback = false;
};
// "127.0.0.1:9100", "[::1]:9100", "localhost:9100". An address must be said; names are not looked
// up. Port 0: the system chooses one, and the log says which.
[[nodiscard]] Result<MetricsAddress> parse_metrics_address(const std::string& text);

}  // namespace causeway::adapter
