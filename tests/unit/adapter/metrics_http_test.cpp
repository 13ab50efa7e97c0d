#include "adapter/metrics_http.hpp"

#include <gtest/gtest.h>

namespace causeway::adapter {
namespace {

HttpWish wish_of(std::string_view bytes) {
    const auto request = parse_http(bytes);
    EXPECT_TRUE(request.has_value()) << bytes;
    return request ? request->wish : HttpWish::bad_request;
}

TEST(MetricsHttp, UnderstandsAScraper) {
    EXPECT_EQ(wish_of("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"),
              HttpWish::metrics);
    EXPECT_EQ(wish_of("GET /metrics?x=1 HTTP/1.0\n\n"), HttpWish::metrics);
    EXPECT_EQ(wish_of("GET / HTTP/1.1\r\n\r\n"), HttpWish::home);
    EXPECT_EQ(wish_of("GET /etc/passwd HTTP/1.1\r\n\r\n"), HttpWish::not_found);
    EXPECT_EQ(wish_of("POST /metrics HTTP/1.1\r\n\r\n"), HttpWish::bad_method);
    EXPECT_EQ(parse_http("HEAD /metrics HTTP/1.1\r\n\r\n")->body, HttpBody::none);
}

TEST(MetricsHttp, WaitsForTheEndAndNoLonger) {
    EXPECT_FALSE(parse_http("").has_value());
    EXPECT_FALSE(parse_http("GET /metrics HTTP/1.1\r\nHost: a\r\n").has_value());
    EXPECT_EQ(wish_of("GET /metrics HTTP/1.1\r\nX: " + std::string(kMostRequest, 'x')),
              HttpWish::too_long);
    EXPECT_EQ(wish_of(std::string_view("\x16\x03\x01\x02\x00", 5)), HttpWish::bad_request)
        << "TLS is no HTTP";
    EXPECT_EQ(wish_of("\r\n\r\n"), HttpWish::bad_request);
    EXPECT_EQ(wish_of("GET\r\n\r\n"), HttpWish::bad_request);
    EXPECT_EQ(wish_of("GET /metrics\r\n\r\n"), HttpWish::bad_request);
    EXPECT_EQ(wish_of("GET /metrics GOPHER/1\r\n\r\n"), HttpWish::bad_request);
}

TEST(MetricsHttp, AnswersEndTheConnection) {
    const std::string whole = http_response(200, "text/plain", "body", HttpBody::whole);
    EXPECT_NE(whole.find("HTTP/1.1 200 OK\r\n"), std::string::npos);
    EXPECT_NE(whole.find("Content-Length: 4\r\n"), std::string::npos);
    EXPECT_NE(whole.find("Connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(whole.ends_with("\r\n\r\nbody"));
    EXPECT_TRUE(http_response(200, "text/plain", "body", HttpBody::none).ends_with("\r\n\r\n"));
    EXPECT_NE(http_answer({HttpWish::too_long}).find(" 431 "), std::string::npos);
    EXPECT_NE(http_answer({HttpWish::bad_method}).find("Allow: GET"), std::string::npos);
}

TEST(MetricsHttp, AnAddressSaysWhoMayReachIt) {
    const auto local = parse_metrics_address("127.0.0.1:9464").value();
    EXPECT_EQ(local.host, "127.0.0.1");
    EXPECT_EQ(local.port, 9464);
    EXPECT_TRUE(local.loopback);
    EXPECT_TRUE(parse_metrics_address("localhost:1").value().loopback);
    EXPECT_TRUE(parse_metrics_address("[::1]:1").value().loopback);
    EXPECT_FALSE(parse_metrics_address("0.0.0.0:1").value().loopback) << "said expressly";
    EXPECT_FALSE(parse_metrics_address("[fe80::1]:65535").value().loopback);
}

TEST(MetricsHttp, AddressesThatDoNotSaySoAreRefused) {
    for (const char* bad :
         {":9464", "*:9464", "9464", "", "127.0.0.1", "127.0.0.1:", "::1:9464", "127.0.0.1:65536",
          "127.0.0.1:-1", "127.0.0.1:1x", "example.org:80", "[127.0.0.1]:80", "[]:80"}) {
        const auto address = parse_metrics_address(bad);
        ASSERT_FALSE(address.has_value()) << bad;
        EXPECT_EQ(address.error().code, ErrorCode::invalid_argument);
        EXPECT_NE(address.error().text.find("127.0.0.1:9464"), std::string::npos)
            << address.error().text;
    }
}

}  // namespace
}  // namespace causeway::adapter
