-- SPDX-License-Identifier: GPL-2.0-or-later
-- wrk asks for the paths of a file, one a line, in turn.
local requests, n = {}, 0

function init(args)
	for path in io.lines(args[1]) do
		requests[#requests + 1] = wrk.format("GET", path, {
			["Host"] = "t.example.net",
			["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
		})
	end
end

function request()
	n = n % #requests + 1
	return requests[n]
end
