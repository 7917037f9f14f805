<?php
// The reply in PHP's own format: the signed JSON text in the field `php`.
$request = array('command' => 'pushpublish.services', 'api_key' => getenv('API_KEY'), 'timestamp' => time(),
    'cdn' => (int) getenv('CDN'));
$request['signature'] = base64_encode(hash_hmac('sha256', json_encode($request), getenv('PRIVATE_KEY'), true));
$curl = curl_init(getenv('URL'));
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
curl_setopt($curl, CURLOPT_POSTFIELDS, array('php' => json_encode($request)));
$response = curl_exec($curl);
$reply = unserialize($response, array('allowed_classes' => false));
echo curl_getinfo($curl, CURLINFO_CONTENT_TYPE), "\n";
echo implode(',', array_keys($reply)), "\n";
foreach ($reply['services'] as $service) {
    echo gettype($service['push_service_id']), ' ', gettype($service['autopush']), ' ', gettype($service['app']), ' ',
        $service['name'], "\n";
}
