<?php
// PHP: json_encode's defaults (\/ and \uXXXX), multipart/form-data by php-curl. As the documented samples do it.
function call($fields)
{
    $request = array('command' => $fields['command'], 'api_key' => getenv('API_KEY'), 'timestamp' => time(),
        'cdn' => (int) getenv('CDN')) + $fields;
    $json = json_encode($request);
    $request['signature'] = base64_encode(hash_hmac('sha256', $json, getenv('PRIVATE_KEY'), true));
    $curl = curl_init(getenv('URL'));
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($curl, CURLOPT_POSTFIELDS, array('json' => json_encode($request)));
    return curl_exec($curl);
}

$name = getenv('NAME');
$videos = array(array('path' => 'sestore4/demo/é', 'tags' => array('a/b', 'ü', null, true, 1.5)), array());
echo call(array('command' => 'pushpublish.add', 'service_name' => 'rtmp', 'name' => $name,
    'url' => 'rtmp://203.0.113.9/live/a/stream-php', 'videos' => $videos)), "\n";
echo call(array('command' => 'pushpublish.services', 'filters' => array('name' => $name))), "\n";
