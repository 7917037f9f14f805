#!/usr/bin/perl
# Perl: members in the random order of a hash (raw / and UTF-8), the signature spliced into the text, because encoding it
# again would reorder it; application/x-www-form-urlencoded by LWP.
use strict;
use warnings;
use utf8;
use Digest::SHA qw(hmac_sha256_base64);
use Encode qw(decode);
use JSON;
use LWP::UserAgent;

sub call {
    my %request = (@_, api_key => $ENV{API_KEY}, cdn => $ENV{CDN}, timestamp => time);
    my $json = JSON->new->utf8->encode(\%request);
    my $signature = hmac_sha256_base64($json, $ENV{PRIVATE_KEY});
    $signature .= '=' while length($signature) % 4;
    $json =~ s/\}$/,"signature":"$signature"}/;
    return LWP::UserAgent->new->post($ENV{URL}, { json => $json })->content;
}

my $name = decode('UTF-8', $ENV{NAME});
my $videos = [{ path => 'sestore4/demo/é', tags => ['a/b', 'ü', undef, JSON::true, 1.5] }, []];
print call(command => 'pushpublish.add', service_name => 'rtmp', name => $name,
    url => 'rtmp://203.0.113.9/live/a/key-perl', videos => $videos), "\n";
print call(command => 'pushpublish.services', filters => { name => $name }), "\n";
