# Ruby: JSON.generate (raw / and UTF-8), the timestamp last, application/x-www-form-urlencoded by Net::HTTP.
require "base64"
require "json"
require "net/http"
require "openssl"

def call(fields)
  request = { "command" => fields["command"], "api_key" => ENV["API_KEY"], "cdn" => ENV["CDN"] }
  request = request.merge(fields).merge("timestamp" => Time.now.to_i)
  digest = OpenSSL::HMAC.digest("sha256", ENV["PRIVATE_KEY"], JSON.generate(request))
  request["signature"] = Base64.strict_encode64(digest)
  Net::HTTP.post_form(URI(ENV["URL"]), "json" => JSON.generate(request)).body
end

name = ENV["NAME"].dup.force_encoding("UTF-8")
videos = [{ "path" => "sestore4/demo/é", "tags" => ["a/b", "ü", nil, true, 1.5] }, []]
puts call("command" => "pushpublish.add", "service_name" => "rtmp", "name" => name,
          "url" => "rtmp://203.0.113.9/live/a/key-ruby", "videos" => videos)
puts call("command" => "pushpublish.services", "filters" => { "name" => name })
